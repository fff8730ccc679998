"""The schema of a recipe, version 1.

Recipes are data: read with ``safe_load``, validated here, and naming registered components only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from sparring.plugins.options import ComponentSpec

SCHEMA_VERSION = 1

GIVEN = "given"
"""What a run's recipe says of a network or data that was handed over as an object."""

Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]


class Strict(BaseModel):
    """A mapping whose unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid")


class InitializeFrom(BaseModel):
    """Where a network's first weights come from: transfer learning."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    from_: str = Field(alias="from", description="A run's folder, or a .safetensors file.")
    network: str | None = Field(None, description="The role to read there; by default the same role.")
    freeze: list[str] = Field([], description="Patterns of parameter names that stay as they are, such as `body.*`.")
    strict: bool = Field(True, description="Refuse weights whose names or shapes differ; otherwise say which differ.")


def _form_of_init(value: Any) -> str:
    # Told apart by hand, so that a mistake is reported against the one form that was meant.
    if isinstance(value, Mapping):
        return "ComponentSpec" if "use" in value else "InitializeFrom"
    if isinstance(value, str):
        return "str"
    return "InitializeFrom" if isinstance(value, InitializeFrom) else "ComponentSpec"


Initialization = Annotated[
    Annotated[InitializeFrom, Tag("InitializeFrom")]
    | Annotated[ComponentSpec, Tag("ComponentSpec")]
    | Annotated[str, Tag("str")],
    Discriminator(_form_of_init),
]


class NetworkSpec(ComponentSpec):
    """A network: a component, and how its weights start."""

    kind: Literal["generator", "discriminator", "network"] | None = Field(
        None, description="Which of them is meant, where one name stands for several."
    )
    init: Initialization | None = Field(
        None, description="An initialiser by name (normal, xavier, kaiming, orthogonal), or {from: RUN}."
    )


class OptimizerSpec(ComponentSpec):
    """An optimiser: a component, and the largest gradient norm that it accepts."""

    clip: float | None = Field(None, gt=0, description="Scale gradients down to this norm.")


class TermSpec(ComponentSpec):
    """A term of a stage: a component, its weight, and how often it is computed."""

    name: str | None = Field(None, description="Its name in logs; by default the component's.")
    weight: float = 1.0
    every: Positive = Field(1, description="Compute it in every n-th step only, n times as strong.")


class Average(Strict):
    """An exponential moving average of a network's weights, its half-life counted in samples."""

    half_life: float = Field(gt=0, description="Samples after which a weight's influence has halved.")
    ramp: float | None = Field(
        0.05, gt=0, description="Hold the half-life below this share of the samples seen so far."
    )


class StageSpec(Strict):
    """An objective, run for a number of steps."""

    name: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    objective: ComponentSpec
    terms: list[TermSpec] = []
    steps: Positive
    batch: Positive = Field(description="Rows of the whole batch, over all processes.")
    accumulate: Positive = Field(1, description="Compute each batch in this many parts, to save memory.")
    optimizers: dict[str, OptimizerSpec] = Field(min_length=1)
    ema: dict[str, float | Average] = {}
    constraints: dict[str, list[ComponentSpec | str]] = {}
    schedules: dict[str, ComponentSpec] = {}
    data: ComponentSpec | None = None


class Evaluate(Strict):
    """When and how generated samples are scored."""

    every: Positive
    count: Positive = Field(1000, description="How many samples are generated and compared.")
    split: str = Field("test", description="The held-out part of the data to compare with.")
    metrics: list[ComponentSpec] = Field(min_length=1)


class Best(Strict):
    """Keep the checkpoint that scored best."""

    best: str = Field(description="A metric value's name.")


class Checkpoint(Strict):
    """When training state is saved, and how much of it is kept."""

    every: Positive
    keep: Positive | Best = 3


class Samples(Strict):
    """When samples are drawn for a person to look at."""

    every: Positive
    count: Positive = 64


class Log(Strict):
    """How often losses are read from the device and written down."""

    every: Positive = 50


class CallbackSpec(ComponentSpec):
    """A callback, which may be switched off without losing its place."""

    enabled: bool = True


class Recipe(Strict):
    """A recipe: data, networks, stages, evaluation and callbacks."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    schema_version: Literal[1] = Field(alias="schema")
    name: str
    summary: str = ""
    needs: list[str] = Field([], description="Plugins that the recipe's components come from.")
    seed: Count = 0
    device: str = Field("auto", description="cpu, cuda, cuda:1 …; auto takes a GPU where there is one.")
    threads: Positive | None = Field(None, description="Processor threads; by default torch's choice, then recorded.")
    precision: Literal["fp32", "bf16"] = "fp32"
    memory_format: Literal["contiguous", "channels_last"] = "contiguous"
    deterministic: bool = Field(False, description="On a GPU, use only kernels that give the same bytes every time.")
    sync_batch_norm: bool = Field(False, description="On several GPUs, share batch statistics over processes.")
    trainer: ComponentSpec | str = "staged"
    data: ComponentSpec
    networks: dict[str, NetworkSpec] = Field(min_length=1)
    stages: list[StageSpec] = Field(min_length=1)
    evaluate: Evaluate | None = None
    checkpoint: Checkpoint
    samples: Samples | None = None
    log: Log = Log()
    callbacks: list[CallbackSpec] = []

    def dump(self) -> dict[str, Any]:
        """Return the recipe as plain values, in the order of the schema, leaving out what is None."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    @property
    def total_steps(self) -> int:
        """Steps of all stages together."""
        return sum(stage.steps for stage in self.stages)

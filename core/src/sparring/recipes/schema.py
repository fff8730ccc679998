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
    rename: dict[str, str] = Field(
        {},
        description="Beginnings of names there, and what stands for them here, in whole parts: `{main.0: project}`. "
        "The first that fits a name is taken; the empty one fits all.",
    )
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
    weight: float = Field(1.0, description="What the term's value is multiplied by.")
    every: Positive = Field(1, description="Compute it in every n-th step only, n times as strong.")


class Average(Strict):
    """An exponential moving average of a network's weights, its half-life counted in samples."""

    half_life: float = Field(gt=0, description="Samples after which a weight's influence has halved.")
    ramp: float | None = Field(
        0.05, gt=0, description="Hold the half-life below this share of the samples seen so far."
    )


class StageSpec(Strict):
    """An objective, run for a number of steps."""

    name: str = Field(pattern=r"^[A-Za-z0-9_-]+$", description="Its name in logs: letters, digits, `-` and `_`.")
    objective: ComponentSpec = Field(description="What is trained, and how: a component of the kind objective.")
    terms: list[TermSpec] = Field([], description="Further addends of the objective's losses.")
    steps: Positive = Field(description="The stage's length in training steps.")
    batch: Positive = Field(description="Rows of the whole batch, over all processes.")
    accumulate: Positive = Field(1, description="Compute each batch in this many parts, to save memory.")
    optimizers: dict[str, OptimizerSpec] = Field(min_length=1, description="One for each role that the stage trains.")
    ema: dict[str, float | Average] = Field(
        {}, description="Moving averages by role: a decay for each step, or a half-life in samples."
    )
    constraints: dict[str, list[ComponentSpec | str]] = Field(
        {}, description="By role, what is applied to a network after each of its optimiser steps."
    )
    schedules: dict[str, ComponentSpec] = Field({}, description="By path, values that change with the step.")
    data: ComponentSpec | None = Field(None, description="Data for this stage alone, in place of the recipe's.")


class Evaluate(Strict):
    """When and how generated samples are scored."""

    every: Positive = Field(description="Evaluate in every n-th step, before the first and after the last.")
    count: Positive = Field(1000, description="How many samples are generated and compared.")
    split: str = Field("test", description="The held-out part of the data to compare with.")
    metrics: list[ComponentSpec] = Field(min_length=1, description="Components of the kind metric.")


class Best(Strict):
    """Keep the checkpoint that scored best."""

    best: str = Field(description="A metric value's name.")


class Checkpoint(Strict):
    """When training state is saved, and how much of it is kept."""

    every: Positive = Field(description="Save in every n-th step, before the first, and at the end of each stage.")
    keep: Positive | Best = Field(3, description="How many of the newest to keep, or `{best: METRIC}`.")


class Samples(Strict):
    """When samples are drawn for a person to look at."""

    every: Positive = Field(description="Draw in every n-th step, before the first and after the last.")
    count: Positive = Field(64, description="How many samples are drawn.")


class Log(Strict):
    """How often losses are read from the device and written down."""

    every: Positive = Field(50, description="Write in every n-th step.")


class CallbackSpec(ComponentSpec):
    """A callback, which may be switched off without losing its place."""

    enabled: bool = Field(True, description="`false` switches it off; so a default callback can be left out.")


class Recipe(Strict):
    """A recipe: data, networks, stages, evaluation and callbacks."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    schema_version: Literal[1] = Field(alias="schema", description="The version of this format.")
    name: str = Field(description="The recipe's name; with dashes for slashes it names the run's folder.")
    summary: str = Field("", description="One line for listings.")
    needs: list[str] = Field([], description="Plugins that the recipe's components come from.")
    seed: Count = Field(0, description="Decides first weights, the order of the data and all noise.")
    device: str = Field("auto", description="cpu, cuda, cuda:1 …; auto takes a GPU where there is one.")
    threads: Positive | None = Field(None, description="Processor threads; by default torch's choice, then recorded.")
    precision: Literal["fp32", "bf16"] = Field(
        "fp32", description="`bf16` computes losses under autocast; weights stay in fp32."
    )
    memory_format: Literal["contiguous", "channels_last"] = Field(
        "contiguous", description="How networks and batches of images lie in memory; `channels_last` can be faster."
    )
    deterministic: bool = Field(False, description="On a GPU, use only kernels that give the same bytes every time.")
    sync_batch_norm: bool = Field(False, description="On several GPUs, share batch statistics over processes.")
    trainer: ComponentSpec | str = Field("staged", description="What trains the run.")
    data: ComponentSpec = Field(description="The data: a component of the kind data.")
    networks: dict[str, NetworkSpec] = Field(min_length=1, description="The networks, by role.")
    stages: list[StageSpec] = Field(min_length=1, description="What is trained, one after another.")
    evaluate: Evaluate | None = Field(None, description="Without it nothing is scored.")
    checkpoint: Checkpoint = Field(description="When training state is saved, and how much of it is kept.")
    samples: Samples | None = Field(None, description="Without it no samples are drawn during training.")
    log: Log = Field(Log(), description="How often losses are written down.")
    callbacks: list[CallbackSpec] = Field(
        [], description="`convergence` and `collapse` are added unless they are named here."
    )

    def dump(self) -> dict[str, Any]:
        """Return the recipe as plain values, in the order of the schema, leaving out what is None."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    @property
    def total_steps(self) -> int:
        """Steps of all stages together."""
        return sum(stage.steps for stage in self.stages)

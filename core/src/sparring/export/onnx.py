"""ONNX: a generator as a graph that other programs can run, and a description of what goes in and comes out."""

from __future__ import annotations

import copy
import importlib.util
import inspect
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sparring.errors import PluginError, SparringError
from sparring.interfaces.data import Condition
from sparring.interfaces.generator import Generator, SequenceGenerator, lift_generated
from sparring.interfaces.space import Space
from sparring.networks.folding import fold_weight_norm
from sparring.spaces.label import LabelSpace

NEEDED = ("onnx", "onnxscript")  # onnxruntime only checks the result
BATCH = "batch"  # the name of the dimension whose size is free
ROWS = 2  # that are traced: a single one would be taken for a dimension that never changes
LARGEST = 1_900_000_000  # bytes: a file of protocol buffers holds less than 2 GiB, so more goes into a second file


@dataclass(frozen=True)
class Port:
    """One input or output of an exported graph.

    Attributes:
        name: Its name in the graph.
        type: Its numbers: ``float32``, ``int64``.
        shape: Its shape; the first is ``batch``, any number of rows.
        values: What its values are, in words.
        classes: Of a label, the names of the classes, in the order of their numbers.
    """

    name: str
    type: str
    shape: tuple[str | int, ...]
    values: str
    classes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Attributes:
        file: The graph.
        description: The JSON file that describes it.
        inputs: What the graph is given.
        outputs: What it makes.
        difference: The largest difference to torch on one example; None where onnxruntime is not installed.
    """

    file: Path
    description: Path
    inputs: list[Port]
    outputs: list[Port]
    difference: float | None


def export_generator(
    network: nn.Module, space: Space, conditions: Mapping[str, Space], folder: Path, name: str = "generator"
) -> Exported:
    """Write a generator as ``NAME.onnx``, and ``NAME.json`` which describes its inputs and outputs.

    The graph takes ``latent``, where the generator has one, and each condition by its name; it gives ``sample``, and
    ``lengths`` where samples have them. It computes what the generator does in evaluation mode.

    Args:
        network: The generator.
        space: The samples' space.
        conditions: The conditions' spaces.
        folder: Where the files are written; made where there is none.
        name: The files' name.

    Raises:
        PluginError: The packages that the export needs are not installed.
        SparringError: This network cannot be exported.
    """
    _require_packages()
    if not isinstance(network, Generator) or isinstance(network, SequenceGenerator):
        raise SparringError(
            f"{type(network).__name__} cannot be exported: only a generator that makes a sample in one pass can be "
            "written as a graph",
            where=name,
            remedy="name another network; sequences, drawn token by token, need torch",
        )
    plain = copy.deepcopy(network).cpu().eval().requires_grad_(False)
    fold_weight_norm(plain)
    example = _Example(plain, conditions, ROWS, seed=0)
    made = example.run()
    file = folder / f"{name}.onnx"
    _write_graph(example, list(made), file)
    # Tried on more rows than were traced, and on other noise.
    difference = _difference(file, _Example(plain, conditions, 2 * ROWS + 1, seed=1))
    outputs = [_output(which, value, space) for which, value in made.items()]
    exported = Exported(file, folder / f"{name}.json", example.ports(), outputs, difference)
    exported.description.write_text(_describe(exported, space), encoding="utf-8")
    return exported


class _Graph(nn.Module):
    """A generator whose outputs are a plain tuple."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, latent: Tensor | None, condition: Condition) -> tuple[Tensor, ...]:
        made = lift_generated(self.generator(latent, condition))
        return (made.sample,) if made.lengths is None else (made.sample, made.lengths)


class _Example:
    """What is passed through a generator: while its graph is taken down, and to try the graph."""

    def __init__(self, generator: Generator, conditions: Mapping[str, Space], rows: int, *, seed: int) -> None:
        rng = torch.Generator().manual_seed(seed)
        self.graph, self.conditions = _Graph(generator), conditions
        self.latent = generator.latent(rows, rng=rng)
        self.condition = {name: _values_of(name, space, rows, rng) for name, space in conditions.items()}
        self.own_noise = type(generator).latent is not Generator.latent

    @torch.no_grad()
    def run(self) -> dict[str, Tensor]:
        return dict(zip(("sample", "lengths"), self.graph(self.latent, self.condition), strict=False))

    def inputs(self) -> dict[str, Tensor]:
        return {**({} if self.latent is None else {"latent": self.latent}), **self.condition}

    def dynamic(self) -> dict[str, Any]:
        """Return which dimension is free, in the form of the arguments."""
        free = {0: torch.export.Dim(BATCH)}
        return {"latent": None if self.latent is None else free, "condition": dict.fromkeys(self.condition, free)}

    def ports(self) -> list[Port]:
        found = []
        for name, value in self.inputs().items():
            space = self.conditions.get(name)
            classes = list(space.classes) if isinstance(space, LabelSpace) else []
            found.append(Port(name, _type(value), _shape(value), self._meaning(space), classes))
        return found

    def _meaning(self, space: Space | None) -> str:
        if space is None:
            return "as the generator's own `latent` draws it" if self.own_noise else "drawn from N(0, 1)"
        return f"0 to {len(space.classes) - 1}" if isinstance(space, LabelSpace) else _summary(space)


def _write_graph(example: _Example, outputs: list[str], file: Path) -> None:
    size = sum(value.numel() * value.element_size() for value in example.graph.state_dict().values())
    beside = file.with_name(f".{file.name}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with _quiet():
            torch.onnx.export(
                example.graph,
                (example.latent,),
                beside,
                kwargs={"condition": example.condition},
                input_names=list(example.inputs()),
                output_names=outputs,
                dynamic_shapes=example.dynamic(),
                external_data=size > LARGEST,
                dynamo=True,
                verbose=False,
            )
        beside.replace(file)
    except OSError as cause:
        raise SparringError(f"the graph cannot be written: {cause.strerror}", where=str(file)) from cause
    except Exception as cause:  # the exporter fails in many ways, with messages of many pages
        origin = _origin(cause)
        if isinstance(origin, SparringError):  # the generator itself says why not
            raise origin from None
        raise SparringError(
            f"{type(example.graph.generator).__name__} cannot be written as a graph: {_first_line(origin)}",
            remedy="in forward(), let no shape and no branch depend on the values of the inputs, nor on the number of "
            "rows; SPARRING_TRACEBACK=1 shows what torch says",
        ) from cause
    finally:
        beside.unlink(missing_ok=True)


def _origin(error: BaseException) -> BaseException:
    """Return the error that one began with."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _first_line(error: BaseException) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _difference(file: Path, example: _Example) -> float | None:
    """Return the largest difference between the graph in onnxruntime and torch."""
    if importlib.util.find_spec("onnxruntime") is None:
        return None
    import onnxruntime  # type: ignore[import-untyped,import-not-found,unused-ignore]

    made = example.run()
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    wanted = {port.name for port in session.get_inputs()}
    given = {name: value.numpy() for name, value in example.inputs().items() if name in wanted}
    found = session.run(list(made), given)
    return max(
        (torch.from_numpy(one).double() - other.double()).abs().max().item()
        for one, other in zip(found, made.values(), strict=True)
    )


def _describe(exported: Exported, space: Space) -> str:
    described = {
        "graph": exported.file.name,
        "inputs": [_plain(port) for port in exported.inputs],
        "outputs": [_plain(port) for port in exported.outputs],
        "space": space.options(),
        "difference_to_torch": exported.difference,
        "torch": torch.__version__,
    }
    return json.dumps(described, indent=2, ensure_ascii=False, default=str) + "\n"


def _plain(port: Port) -> dict[str, Any]:
    return {name: value for name, value in asdict(port).items() if value != []}


def _values_of(name: str, space: Space, rows: int, rng: torch.Generator) -> Tensor:
    if isinstance(space, LabelSpace):
        return torch.arange(rows) % len(space.classes)
    if any(size < 1 for size in space.shape):
        raise SparringError(
            f"the condition '{name}' has no fixed shape: {space.shape}", remedy="export a run on data of one size"
        )
    return 2 * torch.rand(rows, *space.shape, generator=rng) - 1


def _output(name: str, value: Tensor, space: Space) -> Port:
    return Port(name, _type(value), _shape(value), _summary(space) if name == "sample" else "how much of a row counts")


def _type(value: Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")


def _shape(value: Tensor) -> tuple[str | int, ...]:
    return (BATCH, *value.shape[1:])


def _summary(space: Space) -> str:
    """Return the first line of a space's documentation, which says what its values are."""
    return (inspect.getdoc(type(space)) or type(space).__name__).splitlines()[0].replace("``", "")


def _require_packages() -> None:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise PluginError(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed, and the export needs them",
            remedy="`pip install sparring[onnx]`",
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what torch's exporter says to its own developers from the user."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)

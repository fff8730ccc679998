"""What an objective and its terms see while one update is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from sparring.interfaces.augmentation import Augmentation
from sparring.interfaces.data import Batch, Condition
from sparring.interfaces.discriminator import Critique, lift_critique
from sparring.interfaces.generator import Generated, Generator, SequenceGenerator, lift_generated


@dataclass(frozen=True)
class Rows:
    """This process's share of an update's global batch: rows ``start`` to ``stop`` of ``total``."""

    total: int
    start: int
    stop: int

    def of(self, drawn: Tensor) -> Tensor:
        """Return the share of a tensor that was drawn for the whole batch."""
        return drawn if self.stop - self.start == self.total else drawn[self.start : self.stop]


class Sampled(NamedTuple):
    """Sequences that an update has sampled, the condition of each, and the row of the batch that it came from."""

    drawn: Generated
    condition: Condition
    rows: Tensor


Key = tuple[object, ...]


class Context:
    """Networks, a batch, noise, and forward passes that terms of one update share.

    Noise is drawn for the global batch and then cut to this process's rows, so that the number of processes does not
    change what is drawn.

    Attributes:
        networks: Every network of the run, by role.
        batch: The real samples of this update, this process's rows.
        step: The step within the stage, from 0.
        rng: A generator on ``device``, seeded by (seed, stage, step, update).
        rows_rng: Another, which differs between processes and accumulated parts: for what can only be drawn for this
            process's rows, such as sampled sequences and augmentation.
        rows: Which rows of the global batch these are.
        augmentations: What each critic's samples pass through first, by role.
        average: Averages a tensor over processes.
        recorded: Values to be logged that are not part of the loss.
        carried: What an update leaves for the one that continues it, such as the samples' rewards.

    ``idle`` holds the ids of the parameters that take no gradient during this update.
    """

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        batch: Batch,
        *,
        step: int = 0,
        rng: torch.Generator | None = None,
        rows: Rows | None = None,
        average: Callable[[Tensor], Tensor] = lambda value: value,
        idle: frozenset[int] | None = None,
    ) -> None:
        self.networks, self.batch, self.step = networks, batch, step
        self.device = batch.sample.device
        self.rng = rng if rng is not None else torch.Generator(self.device)
        self.rows = rows if rows is not None else Rows(len(batch), 0, len(batch))
        self.rows_rng = torch.Generator(self.rng.device).manual_seed(self.rng.initial_seed() + 1 + self.rows.start)
        self.average = average
        self._idle = idle
        self.augmentations: dict[str, Augmentation] = {}
        self.recorded: dict[str, Tensor] = {}
        self.carried: dict[str, Tensor] = {}
        self._latents: dict[str, Tensor | None] = {}
        # Keys hold ids; values hold the tensors themselves, so that no id is used again while its entry lives.
        self._generated: dict[Key, tuple[object, Generated]] = {}
        self._critiques: dict[Key, tuple[object, Critique]] = {}
        self._kept: dict[str, Generated] = {}
        self._relaxed: dict[str, float] = {}
        self._sampled: dict[str, Sampled] = {}
        self._log_probs: dict[str, Tensor] = {}

    # ---- forward passes ----

    def generate(
        self, role: str = "generator", latent: Tensor | None = None, condition: Condition | None = None
    ) -> Generated:
        """Return what a generator makes; asked again for the same inputs, the same result.

        Args:
            role: The generator's role in the recipe.
            latent: ``(B, *latent_shape)``; by default the latent that this update has drawn for the role.
            condition: By default the batch's.
        """
        asked = self.batch.condition if condition is None else condition
        key = _key(role, latent, asked)
        if key not in self._generated:
            self._generated[key] = ((latent, dict(asked)), self._make(role, latent, asked))
        return self._generated[key][1]

    def critique(
        self, role: str, sample: Tensor, condition: Condition | None = None, lengths: Tensor | None = None
    ) -> Critique:
        """Return a critic's opinion of a sample; asked again for the same tensors, the same opinion."""
        asked = self.batch.condition if condition is None else condition
        key = _key(role, sample, asked, lengths)
        if key not in self._critiques:
            seen = sample
            if role in self.augmentations:
                seen = self.augmentations[role](sample, asked, rng=self.rows_rng)
            opinion = lift_critique(self.networks[role](seen, asked, lengths))
            self._critiques[key] = ((sample, dict(asked), lengths), opinion)
        return self._critiques[key][1]

    def relax(self, role: str, temperature: float) -> None:
        """Have ``generate`` ask a sequence generator for differentiable sequences ``(B, T, V)`` from here on."""
        self._relaxed[role] = temperature

    def sample(self, role: str = "generator", *, temperature: float = 1.0, group: int = 1) -> Generated:
        """Return the tokens ``(B, T)`` that this update samples from a sequence generator; asked again, the same ones.

        They have no graph: what learns from them does so by ``log_prob``. An update that continues this one has the
        same samples.

        Args:
            role: The generator's role.
            temperature: The temperature at which they are drawn, which is when they are first asked for.
            group: How many sequences in a row are drawn for the condition of the first row of them.
        """
        if role not in self._sampled:
            rows = torch.arange(len(self.batch), device=self.device) // group * group
            condition = {name: value[rows] for name, value in self.batch.condition.items()}
            network = cast(SequenceGenerator, self.networks[role])
            with torch.no_grad():
                drawn = network.sample(len(rows), condition, rng=self.rows_rng, temperature=temperature)
            self._sampled[role] = Sampled(drawn, condition, rows)
        return self._sampled[role].drawn

    def sampled_for(self, role: str = "generator") -> tuple[Condition, Tensor]:
        """Return the condition that each row of ``sample(role)`` was drawn for, and the number of its row ``(B,)``."""
        self.sample(role)
        return self._sampled[role].condition, self._sampled[role].rows

    def log_prob(self, role: str = "generator") -> Tensor:
        """Return the log-probability of each token of ``sample(role)``, ``(B, T)``, 0 past the end, with its graph."""
        if role not in self._log_probs:
            drawn, (condition, _) = self.sample(role), self.sampled_for(role)
            network = cast(SequenceGenerator, self.networks[role])
            self._log_probs[role] = network.log_prob(drawn.sample, condition, drawn.lengths)
        return self._log_probs[role]

    def _make(self, role: str, latent: Tensor | None, condition: Condition) -> Generated:
        network = self.networks[role]
        if role in self._relaxed:
            relaxing = cast(SequenceGenerator, network)
            return relaxing.relax(len(self.batch), condition, temperature=self._relaxed[role], rng=self.rows_rng)
        return lift_generated(network(self.latent(role) if latent is None else latent, condition))

    # ---- noise ----

    def latent(self, role: str = "generator") -> Tensor | None:
        """Return the latent that this update has drawn for a generator, ``(B, *latent_shape)``."""
        if role not in self._latents:
            drawn = cast(Generator, self.networks[role]).latent(self.rows.total, rng=self.rng)
            self._latents[role] = None if drawn is None else self.rows.of(drawn)
        return self._latents[role]

    def normal(self, *shape: int) -> Tensor:
        """Draw ``(B, *shape)`` from the standard normal distribution."""
        return self.rows.of(torch.randn(self.rows.total, *shape, generator=self.rng, device=self.device))

    def uniform(self, *shape: int) -> Tensor:
        """Draw ``(B, *shape)`` from [0, 1)."""
        return self.rows.of(torch.rand(self.rows.total, *shape, generator=self.rng, device=self.device))

    # ---- beside the loss ----

    def record(self, name: str, value: Tensor) -> None:
        """Log a scalar that is not part of the loss. It stays on the device until the next logging step."""
        self.recorded[name] = value.detach()

    # ---- sharing a forward pass between two updates ----

    def keep(self, role: str) -> None:
        """Generate now, for this update and for the next, which trains ``role``.

        From here on ``generate`` gives this update the samples detached; the next update, which continues this one,
        gets the same samples with their graph.
        """
        with self._with_gradients(self.networks[role]):
            made = self.generate(role)
        self._kept[role] = made
        extras = {name: value.detach() for name, value in made.extras.items()}
        self._remember(role, Generated(made.sample.detach(), made.lengths, extras))

    def continued(self) -> Context:
        """Return the context of the next update, with this one's batch, noise and kept forward passes."""
        batch = replace(self.batch, sample=self.batch.sample.detach())
        following = Context(self.networks, batch, step=self.step, rng=self.rng, rows=self.rows, average=self.average)
        following.rows_rng, following._latents, following._relaxed = self.rows_rng, self._latents, self._relaxed
        following._sampled, following.carried = self._sampled, self.carried
        for role, made in self._kept.items():
            following._remember(role, made)
        return following

    def _remember(self, role: str, made: Generated) -> None:
        """Have ``generate`` answer with these samples where nothing but the role is asked for."""
        condition = self.batch.condition
        self._generated[_key(role, None, condition)] = (dict(condition), made)

    @contextmanager
    def _with_gradients(self, network: nn.Module) -> Iterator[None]:
        """Let a network that this update leaves idle build a graph; what was frozen before stays frozen."""
        idle = [p for p in network.parameters() if self._idle is not None and id(p) in self._idle]
        for parameter in idle:
            parameter.requires_grad_(True)
        try:
            yield
        finally:
            for parameter in idle:
                parameter.requires_grad_(False)


def _key(role: str, given: Tensor | None, condition: Condition, lengths: Tensor | None = None) -> Key:
    """Name a forward pass by its very tensors: two conditions that hold the same ones are the same."""
    return (role, id(given), tuple(sorted((name, id(value)) for name, value in condition.items())), id(lengths))

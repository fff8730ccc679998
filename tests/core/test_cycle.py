"""The objective ``cycle``, its terms, and its history of generated images."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from sparring.errors import TrainingError
from sparring.interfaces.context import Context, Rows
from sparring.interfaces.data import Batch, Condition
from sparring.interfaces.discriminator import Discriminator
from sparring.interfaces.generator import Generator
from sparring.losses.least_squares import LeastSquares
from sparring.losses.relativistic import Relativistic
from sparring.objectives.cycle import Cycle, History
from sparring.terms.cycle import CycleConsistency, Identity, translations
from sparring.testing.contract import rng_at, through_a_file


class Affine(Generator):
    """x → factor · x + shift; it counts how often it is asked."""

    def __init__(self, factor: float, shift: float) -> None:
        super().__init__()
        self.factor, self.shift = nn.Parameter(torch.tensor(factor)), nn.Parameter(torch.tensor(shift))
        self.calls = 0

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        self.calls += 1
        assert latent is None
        return self.factor * condition["image"] + self.shift


class Sum(Discriminator):
    """The sum of a sample, scaled; it must see no condition."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.factor, self.seen = nn.Parameter(torch.tensor(factor)), []

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Tensor:
        assert not condition
        self.seen.append(sample)
        return self.factor * sample.flatten(1).sum(1)


def networks() -> dict[str, nn.Module]:
    return {
        "generator": Affine(2.0, 1.0),
        "backward_generator": Affine(0.5, 0.0),
        "discriminator": Sum(),
        "backward_discriminator": Sum(0.5),
    }


def context(
    made_of: dict[str, nn.Module],
    rows: int = 4,
    *,
    where: Rows | None = None,
    average: Callable[[Tensor], Tensor] = Tensor.clone,
) -> Context:
    rng = torch.Generator().manual_seed(rows)
    batch = Batch(torch.randn(rows, 1, 2, 2, generator=rng), {"image": torch.randn(rows, 1, 2, 2, generator=rng)})
    return Context(made_of, batch, rng=rng_at(5), rows=where, average=average)


# ---- the terms ----


def test_cycle_consistency_of_affine_maps() -> None:
    seen = context(networks())
    x, y = seen.batch.condition["image"], seen.batch.sample
    # F(G(x)) = ½ (2x + 1) = x + ½, and G(F(y)) = 2 · ½ y + 1 = y + 1.
    torch.testing.assert_close(CycleConsistency()(seen), torch.tensor(1.5))
    there = translations(seen, "generator", "backward_generator")
    torch.testing.assert_close(there.to_target, 2 * x + 1)
    torch.testing.assert_close(there.to_source, 0.5 * y)
    assert seen.networks["generator"].calls == seen.networks["backward_generator"].calls == 2


def test_identity_of_affine_maps() -> None:
    seen = context(networks())
    x, y = seen.batch.condition["image"], seen.batch.sample
    torch.testing.assert_close(Identity()(seen), (y + 1).abs().mean() + (0.5 * x).abs().mean())


def test_what_cannot_be_translated_is_said() -> None:
    found = networks()
    lone = Context(found, Batch(torch.zeros(2, 1, 2, 2)))
    with pytest.raises(TrainingError, match="no condition 'image'"):
        CycleConsistency()(lone)
    with pytest.raises(TrainingError, match="two domains of one shape"):
        Identity()(lone)
    other = Context(found, Batch(torch.zeros(2, 3, 2, 2), {"image": torch.zeros(2, 1, 2, 2)}))
    with pytest.raises(TrainingError, match="'generator' translates to"):
        CycleConsistency()(other)
    with pytest.raises(TrainingError, match=r"samples are \(3, 2, 2\)"):
        Identity()(other)


# ---- the objective ----


def test_both_directions_are_least_squares_of_their_own_critic() -> None:
    objective, found = Cycle(LeastSquares(), history=0), networks()
    seen = context(found)
    translators, critics = objective.updates
    x, y = seen.batch.condition["image"], seen.batch.sample
    to_target, to_source = (2 * x + 1).flatten(1).sum(1), 0.5 * (0.5 * y).flatten(1).sum(1)
    made = objective.losses(translators, seen)
    torch.testing.assert_close(made["adversarial_forward"], ((to_target - 1) ** 2).mean() / 2)
    torch.testing.assert_close(made["adversarial_backward"], ((to_source - 1) ** 2).mean() / 2)
    objective.after_update(translators, [seen])
    following = seen.continued()
    judged = objective.losses(critics, following)
    real = y.flatten(1).sum(1)
    torch.testing.assert_close(judged["adversarial_forward"], (((real - 1) ** 2).mean() + (to_target**2).mean()) / 2)
    assert not any(sample.requires_grad for sample in found["discriminator"].seen[1:])
    assert following.recorded["real_logit"].shape == ()


def test_a_relativistic_loss_shows_the_translators_real_images_too() -> None:
    found = networks()
    objective = Cycle(Relativistic(), history=0)
    objective.losses(objective.updates[0], context(found))
    assert len(found["discriminator"].seen) == 2


def test_roles_have_other_names_where_a_recipe_says_so() -> None:
    objective = Cycle(LeastSquares(), "to_sketch", "to_photo", "sketches", "photos")
    assert [update.trains for update in objective.updates] == [("to_sketch", "to_photo"), ("sketches", "photos")]


# ---- the history ----


def test_a_history_that_is_not_full_returns_what_it_is_given() -> None:
    history, made = History(5), torch.arange(4.0)[:, None]
    assert torch.equal(history.exchange(made, rng_at(0)), made)
    assert torch.equal(history.kept, made)


@given(size=st.integers(1, 6), batches=st.lists(st.integers(1, 8), min_size=1, max_size=5), seed=st.integers(0, 99))
def test_every_image_is_either_kept_or_shown_once(size: int, batches: list[int], seed: int) -> None:
    """An image that has left the history is never seen again; while it fills, each is kept and shown."""
    history, rng, given_rows, shown = History(size), rng_at(seed), 0, []
    for rows in batches:
        made = torch.arange(given_rows, given_rows + rows).float()[:, None]
        shown += history.exchange(made, rng).flatten().tolist()
        given_rows += rows
        assert len(history.kept) == min(size, given_rows)
    first = list(range(min(size, given_rows)))
    assert sorted([*shown, *history.kept.flatten().tolist()]) == sorted([*range(given_rows), *first])


def test_half_of_what_a_full_history_returns_is_old() -> None:
    history, rng = History(50), rng_at(0)
    history.exchange(torch.zeros(50, 1), rng)
    shown = history.exchange(torch.ones(4000, 1), rng)
    # The 50 zeros come out at most once each: of the others, those that are 1 are new ones or returned ones.
    assert int((shown == 0).sum()) == 50
    order = history.exchange(torch.arange(4000.0)[:, None] + 2, rng).flatten()
    own = order == torch.arange(4000.0) + 2
    assert float(own.float().mean()) == pytest.approx(0.5, abs=0.03)  # three deviations and a little


def test_a_history_survives_a_checkpoint() -> None:
    first, second = History(3), History(3)
    first.exchange(torch.randn(7, 2), rng_at(0))
    second.load_state_dict(through_a_file(first.state_dict()))
    made = torch.randn(5, 2)
    assert torch.equal(first.exchange(made, rng_at(1)), second.exchange(made, rng_at(1)))
    empty = History(3)
    empty.load_state_dict(through_a_file(History(3).state_dict()))
    assert empty.kept is None
    with pytest.raises(ValueError, match="history is -1"):
        History(-1)


def test_every_process_has_the_history_of_the_whole_batch() -> None:
    """Two processes of three rows see what one of six would, and show their own rows of what came out."""
    found = networks()
    whole = context(found, 6)

    def part(start: int, average: Callable[[Tensor], Tensor]) -> Context:
        rows = Rows(6, start, start + 3)
        own = Context(found, whole.batch.rows(slice(start, start + 3)), rng=rng_at(5), rows=rows, average=average)
        own.batch.condition = dict(own.batch.condition)
        return own

    alone = Cycle(LeastSquares(), history=4)
    for step in range(3):
        whole = context(found, 6)
        whole.rng.manual_seed(step)
        alone.losses(alone.updates[0], whole)
        alone.after_update(alone.updates[0], [whole])

    # A stand-in for the all-reduce: what each process brings is recorded first, and the mean handed out after.
    brought: list[list[Tensor]] = [[], []]
    processes = [Cycle(LeastSquares(), history=4) for _ in range(2)]
    for step in range(3):
        for sums in brought:
            sums.clear()
        for number, process in enumerate(processes):
            recording = part(3 * number, lambda value, own=brought[number]: own.append(value.clone()) or value)
            recording.rng.manual_seed(step)
            probe = Cycle(LeastSquares(), history=0)
            probe.losses(probe.updates[0], recording)
            probe.after_update(probe.updates[0], [recording])
            assert process is not probe
        for number, process in enumerate(processes):
            means = iter([(one + other) / 2 for one, other in zip(*brought, strict=True)])
            own = part(3 * number, lambda value, means=means: next(means))
            own.rng.manual_seed(step)
            process.losses(process.updates[0], own)
            process.after_update(process.updates[0], [own])
            shown = own.rows.of(process._shown["forward"])
            if step == 2:
                assert torch.equal(shown, alone._shown["forward"][3 * number : 3 * number + 3])
    for process in processes:
        assert torch.equal(process.histories["forward"].kept, alone.histories["forward"].kept)
        assert torch.equal(process.histories["backward"].kept, alone.histories["backward"].kept)

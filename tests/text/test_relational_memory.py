"""The relational memory: one step is that of the paper, and slots stay apart."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sparring.errors import DataError, TrainingError
from sparring.spaces.point import PointSpace
from sparring_text.networks.relational_memory import RelationalMemory, RelationalMemoryGenerator
from tests.text.corpora import SENTENCES, batch_of, space_of

SPACE = space_of(length=8)


def memory(slots: int = 3) -> RelationalMemory:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return RelationalMemory(5, slots, heads=2, head_size=4)


def plain_step(core: RelationalMemory, given: Tensor, slots: Tensor) -> Tensor:
    """Read one input, slot by slot and head by head (Santoro et al. 2018, section 3, with RelGAN's two gates)."""
    entered = core.enter(given)
    seen = [*slots, entered]
    following = []
    for slot in slots:
        found = []
        for head in (slice(0, 4), slice(4, 8)):
            query = core.query(slot)[head]
            keys = torch.stack([core.key_value(one)[:8][head] for one in seen])
            values = torch.stack([core.key_value(one)[8:][head] for one in seen])
            found.append((keys @ query / 4**0.5).softmax(0) @ values)
        candidate = core.look_norm(slot + torch.cat(found))
        candidate = core.think_norm(candidate + core.think(candidate))
        write, keep = (core.gate_input(entered) + core.gate_memory(slot.tanh())).chunk(2)
        following.append((keep + core.keep).sigmoid() * slot + write.sigmoid() * candidate.tanh())
    return torch.stack(following)


@pytest.mark.parametrize("slots", [1, 3])
def test_a_step_is_that_of_the_paper(slots: int) -> None:
    core, rng = memory(slots), torch.Generator().manual_seed(0)
    given, before = torch.randn(4, 5, generator=rng), torch.randn(4, slots, 8, generator=rng)
    with torch.no_grad():
        after = core(given, before)
        for row in range(4):
            torch.testing.assert_close(after[row], plain_step(core, given[row], before[row]))


def test_slots_stay_apart() -> None:
    """Slots that began alike would see the same, and remember the same, forever."""
    core = memory()
    with torch.no_grad():
        state = core.first(2)
        for _ in range(5):
            state = core(torch.ones(2, 5), state)
    assert (state[:, 0] - state[:, 1]).abs().max() > 1e-3


def test_memory_stays_bounded() -> None:
    core = memory()
    with torch.no_grad():
        state = core.first(1)
        for _ in range(500):
            state = core(torch.full((1, 5), 10.0), state)
    assert state.isfinite().all()
    # What is written is at most 1, and what is kept shrinks by the forget gate: a geometric series.
    assert state.abs().max() < 1e3


def test_weights_are_saved_under_one_name_each() -> None:
    for tied in (True, False):
        state = RelationalMemoryGenerator(SPACE, {}, head_size=8, tied=tied).state_dict()
        assert len({value.data_ptr() for value in state.values()}) == len(state)


def test_mistakes_are_explained() -> None:
    with pytest.raises(DataError, match="text/relational-memory works on text"):
        RelationalMemoryGenerator(PointSpace(), {})
    with pytest.raises(ValueError, match="at least 1 slot"):
        RelationalMemoryGenerator(SPACE, {}, slots=0)
    network = RelationalMemoryGenerator(SPACE, {}, head_size=8)
    with pytest.raises(TrainingError, match="text/relational-memory draws its sentences"):
        network(None, {})
    assert network.log_prob(batch_of(SPACE, SENTENCES[:2]).sample, {}).shape == (2, 8)

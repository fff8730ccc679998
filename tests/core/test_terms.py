"""Terms: values, gradients, and what they share with the rest of the update."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from sparring.errors import TrainingError
from sparring.interfaces.context import Context
from sparring.interfaces.data import Batch, Condition
from sparring.interfaces.discriminator import Critique, Discriminator
from sparring.interfaces.generator import Generated, Generator
from sparring.interfaces.objective import Term
from sparring.terms.feature_matching import FeatureMatching
from sparring.terms.gradient_penalties import R1, R2, Dragan, GradientPenalty
from sparring.terms.reconstruction import Reconstruction

weights = st.lists(st.floats(-5, 5, width=32), min_size=3, max_size=3)


class LinearCritic(Discriminator):
    """D(x) = w · x; ``positions`` repeats the logit, as a patch critic has many."""

    def __init__(self, weight: list[float], positions: int = 1, scales: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight, dtype=torch.float64))
        self.positions, self.scales = positions, scales
        self.calls: list[Tensor | None] = []

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        self.calls.append(lengths)
        logits = (sample @ self.weight).unsqueeze(1).expand(-1, self.positions)
        return Critique((logits,) * self.scales, ((sample * self.weight, logits),))


class Shift(Generator):
    """G(z) = z + b."""

    latent_shape = (3,)

    def __init__(self, lengths: Tensor | None = None) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(3, dtype=torch.float64))
        self.lengths = lengths

    def forward(self, latent: Tensor | None, condition: Condition) -> Generated:
        assert latent is not None
        return Generated(latent.double() + self.bias, self.lengths)


def context(
    critic: nn.Module,
    generator: nn.Module | None = None,
    *,
    frozen: str = "generator",
    condition: Mapping[str, Tensor] | None = None,
    lengths: Tensor | None = None,
) -> Context:
    networks = {"generator": generator or Shift(), "discriminator": critic}
    networks[frozen].requires_grad_(False)
    sample = torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(7))
    return Context(networks, Batch(sample, condition or {}, lengths), rng=torch.Generator().manual_seed(1))


def value_of(term: Term, seen: Context) -> Tensor:
    term.prepare(seen)
    return term(seen)


# ---- gradient penalties ----


@pytest.mark.parametrize("term", [R1(gamma=3.0), R2(gamma=3.0)], ids=["r1", "r2"])
@given(weight=weights)
def test_squared_gradient_of_a_linear_critic(term: Term, weight: list[float]) -> None:
    critic = LinearCritic(weight)
    value = value_of(term, context(critic))
    norm = critic.weight.detach().square().sum()
    torch.testing.assert_close(value, 1.5 * norm)
    torch.testing.assert_close(torch.autograd.grad(value, critic.weight)[0], 3.0 * critic.weight.detach())


@pytest.mark.parametrize("term", [GradientPenalty(target=2.0), Dragan(target=2.0)], ids=["gradient-penalty", "dragan"])
@given(weight=weights)
def test_norm_penalty_of_a_linear_critic(term: Term, weight: list[float]) -> None:
    critic = LinearCritic(weight)
    value = value_of(term, context(critic))
    norm = critic.weight.detach().norm()
    torch.testing.assert_close(value, (norm - 2).square())
    (slope,) = torch.autograd.grad(value, critic.weight)
    expected = 2 * (norm - 2) * critic.weight.detach() / norm if norm > 0 else torch.zeros_like(slope)
    torch.testing.assert_close(slope, expected)


@pytest.mark.parametrize("term", [R1(), R2(), GradientPenalty(), Dragan()])
def test_penalties_do_not_grow_with_positions_or_scales(term: Term) -> None:
    one = value_of(term, context(LinearCritic([1.0, 2.0, -1.0])))
    many = value_of(term, context(LinearCritic([1.0, 2.0, -1.0], positions=4, scales=2)))
    torch.testing.assert_close(one, many)


class QuadraticCritic(Discriminator):
    """D(x) = ½ ‖x‖², so that ∇D(x) = x: the penalty shows where it looked."""

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Tensor:
        return sample.square().sum(dim=1) / 2


def test_each_penalty_looks_where_it_says() -> None:
    seen = context(QuadraticCritic())
    real = seen.batch.sample.detach().clone()
    fake = seen.generate("generator").sample.detach().clone()
    torch.testing.assert_close(value_of(R1(gamma=2.0), seen).detach(), real.square().sum(1).mean())
    torch.testing.assert_close(value_of(R2(gamma=2.0), seen).detach(), fake.square().sum(1).mean())

    seen = context(QuadraticCritic())
    fake = seen.generate("generator").sample.detach().clone()
    state = seen.rng.get_state()
    value = value_of(GradientPenalty(target=0.5), seen).detach()
    seen.rng.set_state(state)
    mixed = real + seen.uniform(1).double() * (fake - real)
    torch.testing.assert_close(value, (mixed.norm(dim=1) - 0.5).square().mean())

    seen = context(QuadraticCritic())
    state = seen.rng.get_state()
    value = value_of(Dragan(strength=0.5), seen).detach()
    seen.rng.set_state(state)
    moved = real + 0.5 * real.std(correction=0) * seen.uniform(3).double()
    torch.testing.assert_close(value, (moved.norm(dim=1) - 1).square().mean())


@pytest.mark.parametrize(("term", "role"), [(R1(), "real"), (R2(), "fake")], ids=["r1", "r2"])
def test_the_critique_is_shared_with_the_adversarial_loss(term: Term, role: str) -> None:
    critic = LinearCritic([1.0, 2.0, 3.0])
    seen = context(critic)
    term.prepare(seen)
    made = seen.generate("generator")
    sample = seen.batch.sample if role == "real" else made.sample
    seen.critique("discriminator", sample)
    term(seen)
    assert len(critic.calls) == 1


def test_r2_does_not_train_a_generator_whose_graph_is_alive() -> None:
    generator = Shift()
    seen = context(QuadraticCritic(), generator, frozen="discriminator")
    assert seen.generate("generator").sample.grad_fn is not None
    value = value_of(R2(), seen)
    assert torch.autograd.grad(value, generator.bias, allow_unused=True)[0] is None
    torch.testing.assert_close(value.detach(), seen.generate("generator").sample.detach().square().sum(1).mean() / 2)


def test_lengths_reach_the_critic() -> None:
    real, fake = torch.tensor([1, 2, 3, 3, 1]), torch.tensor([3, 1, 2, 3, 1])
    for term, expected in (
        (R1(), real),
        (R2(), fake),
        (GradientPenalty(), torch.maximum(real, fake)),
        (Dragan(), real),
    ):
        critic = LinearCritic([1.0, 2.0, 3.0])
        value_of(term, context(critic, Shift(fake), lengths=real))
        assert [call is not None and call.equal(expected) for call in critic.calls] == [True]


def test_penalties_name_their_role_as_trained() -> None:
    for term in (R1("judge"), R2("maker", "judge"), GradientPenalty("maker", "judge"), Dragan("judge")):
        assert term.trains == ("judge",)


def test_penalties_refuse_tokens_and_shapes_that_do_not_mix() -> None:
    seen = context(LinearCritic([1.0, 2.0, 3.0]))
    seen.batch.sample = seen.batch.sample.long()
    with pytest.raises(TrainingError, match="real numbers"):
        R1().prepare(seen)
    seen = context(LinearCritic([1.0, 2.0, 3.0]))
    seen.batch.sample = seen.batch.sample[:4]
    with pytest.raises(TrainingError, match="differ in shape"):
        GradientPenalty()(seen)


class Blind(Discriminator):
    """Looks at nothing."""

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Tensor:
        return torch.zeros(len(sample))


def test_a_critic_that_ignores_its_input_is_reported() -> None:
    with pytest.raises(TrainingError, match="do not depend on its input"):
        value_of(R1(), context(Blind()))


def test_a_sample_that_was_replaced_after_prepare_is_reported() -> None:
    seen = context(LinearCritic([1.0, 2.0, 3.0]))
    R1().prepare(seen)
    seen.batch.sample = seen.batch.sample.detach().clone()
    with pytest.raises(TrainingError, match="was replaced after"):
        R1()(seen)


# ---- reconstruction ----


@pytest.mark.parametrize(("target", "norm"), [("sample", "l1"), ("sample", "l2"), ("conditions.photo", "l1")])
def test_reconstruction(target: str, norm: str) -> None:
    generator = Shift()
    photo = torch.randn(5, 3, dtype=torch.float64)
    seen = context(Blind(), generator, frozen="discriminator", condition={"photo": photo})
    term = Reconstruction(target=target, norm="l1" if norm == "l1" else "l2")
    assert term.trains == ("generator",)
    wanted = photo if target == "conditions.photo" else seen.batch.sample
    difference = seen.generate("generator").sample.detach() - wanted
    value = value_of(term, seen)
    expected = difference.abs().mean() if norm == "l1" else difference.square().mean()
    torch.testing.assert_close(value.detach(), expected)
    slope = difference.sign().sum(0) / 15 if norm == "l1" else 2 * difference.sum(0) / 15
    torch.testing.assert_close(torch.autograd.grad(value, generator.bias)[0], slope)


def test_reconstruction_says_what_it_could_aim_at() -> None:
    with pytest.raises(ValueError, match=r"conditions\.NAME"):
        Reconstruction(target="photo")
    seen = context(Blind(), condition={"photo": torch.zeros(5, 2)})
    with pytest.raises(TrainingError, match=r"sample, conditions\.photo"):
        Reconstruction(target="conditions.sketch")(seen)
    with pytest.raises(TrainingError, match="differ in shape"):
        Reconstruction(target="conditions.photo")(seen)


@pytest.mark.parametrize("norm", ["l1", "l2"])
@pytest.mark.parametrize("shape", [(5, 3), (5, 1)])
def test_masked_reconstruction_is_the_mean_over_what_is_masked(norm: str, shape: tuple[int, int]) -> None:
    mask = (torch.rand(shape, generator=torch.Generator().manual_seed(2)) < 0.4).double()
    assert 0 < mask.sum() < mask.numel()
    generator = Shift()
    seen = context(Blind(), generator, frozen="discriminator", condition={"hole": mask})
    value = Reconstruction(norm="l1" if norm == "l1" else "l2", mask="hole")(seen)
    difference = (seen.generate("generator").sample.detach() - seen.batch.sample)[mask.expand(5, 3) == 1]
    expected = difference.abs().mean() if norm == "l1" else difference.square().mean()
    torch.testing.assert_close(value.detach(), expected)
    assert torch.autograd.grad(value, generator.bias)[0].abs().sum() > 0


def test_what_is_not_masked_does_not_matter_and_no_mask_at_all_is_no_loss() -> None:
    for mask in (torch.zeros(5, 3), torch.zeros(5, 1)):
        generator = Shift()
        seen = context(Blind(), generator, frozen="discriminator", condition={"hole": mask})
        value = Reconstruction(mask="hole")(seen)
        assert float(value.detach()) == 0.0
        assert not torch.autograd.grad(value, generator.bias)[0].any()


def test_reconstruction_says_which_masks_there_are() -> None:
    seen = context(Blind(), condition={"hole": torch.ones(5, 2), "label": torch.ones(5)})
    with pytest.raises(TrainingError, match="masked by 'mask'") as raised:
        Reconstruction(mask="mask")(seen)
    assert "hole, label" in raised.value.remedy
    with pytest.raises(TrainingError, match=r"'hole' \(5, 2\) does not fit samples \(5, 3\)"):
        Reconstruction(mask="hole")(seen)


# ---- feature matching ----


def test_feature_matching_averages_layers_and_reaches_the_generator_alone() -> None:
    generator, critic = Shift(), LinearCritic([1.0, 2.0, -3.0])
    seen = context(critic, generator, frozen="discriminator")
    difference = (seen.generate("generator").sample - seen.batch.sample).detach()
    weight = critic.weight.detach()
    value = value_of(FeatureMatching(), seen)
    expected = ((difference * weight).abs().mean() + (difference @ weight).abs().mean()) / 2
    torch.testing.assert_close(value.detach(), expected)
    assert torch.autograd.grad(value, generator.bias)[0].abs().sum() > 0
    assert FeatureMatching("maker", "judge").trains == ("maker",)


class Keen(Discriminator):
    """One feature: the sample itself times a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones((), dtype=torch.float64))

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        return Critique((sample.sum(1),), ((sample * self.weight,), ()))


def test_feature_matching_takes_no_gradient_through_the_real_side() -> None:
    critic = Keen()
    seen = context(critic, frozen="generator")
    value = value_of(FeatureMatching(), seen)
    fake, real = seen.generate("generator").sample, seen.batch.sample
    # d/dw mean |w f − sg(w r)| at w = 1; a scale without features, the second, does not count.
    torch.testing.assert_close(torch.autograd.grad(value, critic.weight)[0], ((fake - real).sign() * fake).mean())


def test_feature_matching_needs_features() -> None:
    with pytest.raises(TrainingError, match="returns none"):
        FeatureMatching()(context(Blind()))

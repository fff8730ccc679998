"""The policy gradient: what each token is credited with, and that its mean is the exact gradient."""

from __future__ import annotations

import copy
from itertools import product
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from sparring import Batch, Condition, Context, Critique, Discriminator, Generated, SequenceGenerator, TrainingError
from sparring.interfaces.objective import Objective, Update, WeightedTerm
from sparring.losses.cross_entropy import NonSaturating
from sparring.objectives.grpo import GRPO, standardised
from sparring.objectives.judging import Judge
from sparring.objectives.policy import clipped, discounted, rollout_values
from sparring.objectives.ppo import PPO, advantages
from sparring.objectives.reinforce import Reinforce
from sparring.rewards.critic import CriticReward
from sparring.terms.policy import KL, Entropy

END, LETTERS, LENGTH = 0, 3, 3
"""Sequences of up to three letters; the first letter ends one."""


class Bigrams(SequenceGenerator):
    """Each token's distribution depends on the one before it: few enough sequences to list them all."""

    def __init__(self) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.randn(LETTERS + 1, LETTERS, generator=torch.Generator().manual_seed(0)))

    def forward(self, latent: Tensor | None, condition: Condition) -> Generated:
        raise NotImplementedError

    def log_prob(self, tokens: Tensor, condition: Condition, lengths: Tensor | None = None) -> Tensor:
        before = torch.cat([torch.full_like(tokens[:, :1], LETTERS), tokens[:, :-1]], dim=1)
        found = self.scores.log_softmax(1)[before, tokens]
        return found if lengths is None else found * (torch.arange(tokens.shape[1]) < lengths[:, None])

    def sample(
        self,
        n: int,
        condition: Condition,
        *,
        rng: torch.Generator,
        prefix: Tensor | None = None,
        max_length: int | None = None,
        temperature: float = 1.0,
    ) -> Generated:
        before, tokens, lengths = torch.full((n,), LETTERS), [], torch.full((n,), LENGTH)
        for place in range(LENGTH):
            drawn = torch.multinomial(
                (self.scores.detach()[before] / temperature).softmax(1), 1, generator=rng
            ).squeeze(1)
            if prefix is not None and place < prefix.shape[1]:
                drawn = prefix[:, place]
            live = place < lengths
            before = torch.where(live, drawn, END)
            lengths = torch.where(live & (before == END), place + 1, lengths)
            tokens.append(before)
        return Generated(torch.stack(tokens, 1), lengths)

    def relax(self, n: int, condition: Condition, *, temperature: float, rng: torch.Generator) -> Generated:
        raise NotImplementedError


def every_sequence() -> tuple[Tensor, Tensor]:
    """Return all sequences ``(S, T)``, padded with the end, and their lengths."""
    found = {row[: row.index(END) + 1] if END in row else row for row in product(range(LETTERS), repeat=LENGTH)}
    rows = sorted(found)
    return torch.tensor([row + (END,) * (LENGTH - len(row)) for row in rows]), torch.tensor([len(row) for row in rows])


def worth_of(samples: Batch) -> Tensor:
    """An arbitrary reward of each token, that depends on the token before it; 0 past the end."""
    assert samples.lengths is not None
    before = torch.cat([torch.full_like(samples.sample[:, :1], LETTERS), samples.sample[:, :-1]], dim=1)
    token = torch.sin(1.0 + samples.sample + 2.0 * before)
    return token * (torch.arange(LENGTH) < samples.lengths[:, None])


class TokenWorth:
    def __call__(self, samples: Batch, reference: Batch | None) -> Tensor:
        return worth_of(samples)


class SequenceWorth:
    def __call__(self, samples: Batch, reference: Batch | None) -> Tensor:
        return worth_of(samples).sum(1)


def a_context(generator: SequenceGenerator, rows: int, **further: nn.Module) -> Context:
    batch = Batch(torch.zeros(rows, LENGTH, dtype=torch.long), {"row": torch.arange(rows)}, torch.ones(rows))
    return Context({"generator": generator, **further}, batch, rng=torch.Generator().manual_seed(1))


# ---- returns ----


def test_a_reward_at_the_end_reaches_each_token_by_its_distance() -> None:
    counted = torch.tensor([[True, True, True], [True, False, False]])
    found = discounted(torch.tensor([8.0, 6.0]), counted, 0.5)
    assert found.tolist() == [[2, 4, 8], [6, 0, 0]]


@given(
    st.lists(st.lists(st.floats(-9, 9), min_size=4, max_size=4), min_size=1, max_size=5),
    st.floats(0, 1),
    st.integers(0, 4),
)
def test_returns_are_the_discounted_sums_of_what_follows(rows: list[list[float]], discount: float, length: int) -> None:
    reward = torch.tensor(rows, dtype=torch.float64)
    counted = torch.arange(4).lt(length).expand(reward.shape)
    slow = [
        [sum(discount ** (s - t) * row[s] for s in range(t, length)) if t < length else 0.0 for t in range(4)]
        for row in rows
    ]
    torch.testing.assert_close(discounted(reward, counted, discount), torch.tensor(slow, dtype=torch.float64))


# ---- rollouts ----


def completed(context: Context, drawn: Generated, whole: Tensor, judge: Judge, rollouts: int) -> Tensor:
    return rollout_values(context, "generator", drawn, whole, judge, rollouts=rollouts, temperature=1.0)


def test_rollouts_credit_the_token_that_earned_it() -> None:
    """A reward for the second token alone: by chance before it is known, certain afterwards; row by row."""
    generator = Bigrams()
    context = a_context(generator, 6)
    drawn = generator.sample(6, {}, rng=torch.Generator().manual_seed(5))
    assert drawn.lengths is not None
    assert len(drawn.lengths.unique()) > 1

    def judge(samples: Batch, row: Tensor) -> Tensor:
        assert samples.condition["row"].equal(row)
        return (samples.sample[:, 1] == 2) * (1.0 + row)

    whole = judge(Batch(drawn.sample, context.batch.condition), torch.arange(6))
    found = completed(context, drawn, whole, judge, rollouts=3000)
    chance = generator.scores.detach().softmax(1)[:, 2]
    for row, (tokens, length) in enumerate(zip(drawn.sample.tolist(), drawn.lengths.tolist(), strict=True)):
        expected = [
            (1.0 + row) * float(chance[tokens[0]]) if length > 1 else 0.0,
            (1.0 + row) * (tokens[1] == 2) if length > 1 else 0.0,
            (1.0 + row) * (tokens[1] == 2) if length > 2 else 0.0,
        ]
        assert found[row].tolist() == pytest.approx(expected, abs=0.05 * (1 + row))


def test_beginnings_are_kept_in_completions() -> None:
    generator = Bigrams()
    context = a_context(generator, 8)
    drawn = generator.sample(8, {}, rng=torch.Generator().manual_seed(5))
    known = iter(range(1, LENGTH))

    def judge(samples: Batch, row: Tensor) -> Tensor:
        length = next(known)
        assert samples.sample[:, :length].equal(drawn.sample[row, :length])
        return torch.zeros(len(row))

    completed(context, drawn, torch.zeros(8), judge, rollouts=5)
    assert next(known, None) is None, "each length of beginning was judged"


# ---- the gradient ----


def exact_gradient(generator: Bigrams) -> Tensor:
    """Return the gradient of the expected worth, over every sequence."""
    tokens, lengths = every_sequence()
    probability = generator.log_prob(tokens, {}, lengths).sum(1).exp()
    assert float(probability.detach().sum()) == pytest.approx(1, abs=1e-5)
    expected = (probability * worth_of(Batch(tokens, {}, lengths)).sum(1)).sum()
    return torch.autograd.grad(expected, generator.scores)[0]


@pytest.mark.parametrize(
    ("credit", "reward"),
    [("sequence", SequenceWorth()), ("token", TokenWorth()), ("rollout", SequenceWorth())],
    ids=["sequence", "token", "rollout"],
)
@pytest.mark.parametrize("baseline", [None, 0.7])
def test_its_mean_is_the_exact_gradient(credit: Any, reward: Any, baseline: float | None) -> None:
    """Forty thousand samples: whom rewards are credited to changes the variance, and not the mean."""
    generator = Bigrams()
    objective = Reinforce(reward, credit=credit, rollouts=1)
    objective.usual.value = baseline
    rows = 10_000
    found = []
    for seed in range(4):
        context = a_context(generator, rows)
        context.rows_rng.manual_seed(seed)
        (loss,) = objective.terms(objective.updates[-1], context).values()
        found.append(-torch.autograd.grad(loss, generator.scores)[0])
    torch.testing.assert_close(torch.stack(found).mean(0), exact_gradient(generator), atol=0.012, rtol=0)


def test_the_likeliest_sequence_is_a_baseline() -> None:
    """Self-critical training: the same mean, compared with what the network would write without chance."""
    generator = Bigrams()
    best: list[int] = []
    before = LETTERS
    while len(best) < LENGTH and END not in best:
        before = int(generator.scores[before].argmax())
        best.append(before)
    tokens = torch.tensor([best + [END] * (LENGTH - len(best))])
    worth = float(worth_of(Batch(tokens, {}, torch.tensor([len(best)]))).sum())
    objective, found = Reinforce(SequenceWorth(), baseline="self-critical"), []
    for seed in range(4):
        context = a_context(generator, 10_000)
        context.rows_rng.manual_seed(seed)
        (loss,) = objective.terms(objective.updates[-1], context).values()
        found.append(-torch.autograd.grad(loss, generator.scores)[0])
        assert float(context.recorded["greedy_reward"]) == pytest.approx(worth, abs=1e-5)
    torch.testing.assert_close(torch.stack(found).mean(0), exact_gradient(generator), atol=0.02, rtol=0)
    for wrong in ({"credit": "token"}, {"discount": 0.5}):
        with pytest.raises(ValueError, match="self-critical"):
            Reinforce(SequenceWorth(), baseline="self-critical", **wrong)


# ---- rows that cannot be scored ----


class Unsure:
    """The worth of a sequence, or of its tokens; NaN where the sequence begins with a given letter."""

    def __init__(self, letters: tuple[int, ...], tokens: bool = False) -> None:
        self.letters, self.tokens = torch.tensor(letters), tokens

    def __call__(self, samples: Batch, reference: Batch | None) -> Tensor:
        worth = worth_of(samples) if self.tokens else worth_of(samples).sum(1)
        unknown = torch.isin(samples.sample[:, 0], self.letters)
        return worth.masked_fill(unknown[:, None] if self.tokens else unknown, torch.nan)


OBJECTIVES: list[Any] = [
    (Reinforce, {}, False),
    (Reinforce, {"credit": "token"}, True),
    (Reinforce, {"credit": "rollout", "rollouts": 2}, False),
    (Reinforce, {"baseline": "self-critical"}, False),
    (GRPO, {"group": 4}, False),
    (PPO, {}, False),
    (PPO, {}, True),
]


@pytest.mark.parametrize(("kind", "options", "tokens"), OBJECTIVES)
def test_rows_without_a_reward_give_no_gradient(kind: Any, options: dict[str, Any], tokens: bool) -> None:
    generator, rows = Bigrams(), 64
    for letters in ((1,), (0, 1, 2)):
        objective = kind(Unsure(letters, tokens), **options)
        context = a_context(generator, rows, value=Judgement(torch.zeros(LENGTH)))
        update = next(one for one in objective.updates if one.trains == ("generator",))
        (loss,) = objective.terms(update, context).values()
        context.log_prob().retain_grad()
        loss.backward()
        gradient = context.log_prob().grad
        unknown = torch.isin(context.sample().sample[:, 0], torch.tensor(letters))
        assert gradient is not None
        assert not gradient[unknown].any()
        assert gradient.isfinite().all()
        assert bool(gradient[~unknown].any()) == bool((~unknown).any())
        assert float(context.recorded["unscored"]) == pytest.approx(float(unknown.float().mean()))
        worth = Unsure((), False)(Batch(context.sample().sample, {}, context.sample().lengths), None)
        if not tokens and not unknown.all():
            assert float(context.recorded["reward"]) == pytest.approx(float(worth[~unknown].mean()), abs=1e-5)
        for each in objective.updates:
            objective.after_update(each, [context])
        mean = next(iter(objective.state_dict().values()), None)
        assert (mean is None) == (kind is GRPO or bool(unknown.all())), "what is unknown moves no baseline"


def test_a_group_is_compared_without_those_that_have_no_reward() -> None:
    found = standardised(torch.tensor([[1.0, torch.nan, 3.0], [5.0, torch.nan, torch.nan]]))
    assert found[0, [0, 2]].tolist() == pytest.approx([-0.7071, 0.7071], abs=1e-3)
    assert found[0, 1].isnan()
    assert found[1].isnan().all()


# ---- a critic as the reward ----


class Judgement(Discriminator):
    """Gives the same logits whatever it reads."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = nn.Parameter(logits)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        assert not sample.is_floating_point(), "it reads tokens"
        return Critique((self.logits.expand(len(sample), *self.logits.shape),))


@pytest.mark.parametrize(("worth", "expected"), [("probability", 0.75), ("signed", 0.5), ("logit", 1.0986)])
def test_what_a_logit_is_worth(worth: Any, expected: float) -> None:
    """ln 3 are odds of three to one."""
    critic = Judgement(torch.tensor(3.0).log())
    objective = Reinforce(CriticReward(NonSaturating(), worth=worth))
    context = a_context(Bigrams(), 4, discriminator=critic)
    objective.terms(objective.updates[-1], context)
    assert float(context.recorded["reward"]) == pytest.approx(expected, abs=1e-4)
    objective.after_update(objective.updates[-1], [context])
    assert objective.state_dict()["baseline"] == pytest.approx(expected, abs=1e-4)


def test_the_critic_learns_from_real_and_sampled_tokens() -> None:
    objective = Reinforce(CriticReward(NonSaturating(), steps=3))
    assert [(update.name, update.repeat) for update in objective.updates] == [("discriminator", 3), ("generator", 1)]
    context = a_context(Bigrams(), 4, discriminator=Judgement(torch.tensor(0.0)))
    found = objective.terms(objective.updates[0], context)["adversarial"]
    assert float(found.detach()) == pytest.approx(2 * 0.6931, abs=1e-3)
    frozen = Reinforce(CriticReward(NonSaturating(), steps=0))
    assert [update.name for update in frozen.updates] == ["generator"]


@pytest.mark.parametrize(
    ("credit", "tokens", "logits", "message"),
    [
        ("token", False, torch.zeros(()), "credit: token needs rewards of the shape"),
        ("sequence", True, torch.zeros(LENGTH), "credit: sequence needs rewards of the shape"),
        ("token", True, torch.zeros(()), "tokens are to be rewarded"),
    ],
)
def test_rewards_and_credit_go_together(credit: Any, tokens: bool, logits: Tensor, message: str) -> None:
    objective = Reinforce(CriticReward(NonSaturating(), tokens=tokens), credit=credit)
    context = a_context(Bigrams(), 4, discriminator=Judgement(logits))
    with pytest.raises(TrainingError, match=message):
        objective.terms(objective.updates[-1], context)


def test_a_critic_that_has_seen_no_networks_says_so() -> None:
    with pytest.raises(TrainingError, match="has seen no networks"):
        CriticReward(NonSaturating())(Batch(torch.zeros(1, LENGTH)), None)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"discount": 1.5}, "discount"), ({"rollouts": 0}, "rollouts"), ({"baseline_decay": 1.0}, "baseline_decay")],
)
def test_shares_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Reinforce(SequenceWorth(), **options)


# ---- one draw for all ----


def test_terms_of_an_update_share_its_samples() -> None:
    context = a_context(Bigrams(), 8)
    drawn = context.sample(temperature=1.0)
    assert context.sample().sample is drawn.sample
    assert context.log_prob() is context.log_prob()
    following = context.continued()
    assert following.sample().sample is drawn.sample, "a further pass learns from the same samples"
    assert following.log_prob() is not context.log_prob(), "by the weights that it finds"
    condition, rows = context.sampled_for()
    assert rows.tolist() == list(range(8)) == condition["row"].tolist()


def test_a_group_is_drawn_for_one_row() -> None:
    context = a_context(Bigrams(), 6)
    context.sample(group=3)
    condition, rows = context.sampled_for()
    assert rows.tolist() == [0, 0, 0, 3, 3, 3] == condition["row"].tolist()


# ---- GRPO and PPO ----


def test_a_group_compares_its_own() -> None:
    found = standardised(torch.tensor([[1.0, 3.0], [5.0, 5.0]]))
    assert found[0].tolist() == pytest.approx([-0.7071, 0.7071], abs=1e-3)
    assert found[1].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("ratio", "advantage", "expected"),
    [(1.5, 2.0, 2.4), (0.5, 2.0, 1.0), (1.5, -2.0, -3.0), (0.5, -2.0, -1.6), (1.1, 2.0, 2.2)],
)
def test_the_clipped_surrogate(ratio: float, advantage: float, expected: float) -> None:
    """What has become likelier by more than a fifth is worth no more; what is worse than usual is never spared."""
    new, old = torch.tensor([[ratio]]).log(), torch.zeros(1, 1)
    assert float(clipped(new, old, torch.tensor([[advantage]]), 0.2)) == pytest.approx(expected, abs=1e-5)


@given(
    st.lists(st.lists(st.floats(-5, 5), min_size=4, max_size=4), min_size=2, max_size=2),
    st.floats(0, 1),
    st.floats(0, 1),
    st.integers(1, 4),
)
def test_advantages_are_sums_of_surprises(rows: list[list[float]], discount: float, trace: float, length: int) -> None:
    """Equation 16 of Schulman et al. (2016), by its definition."""
    reward, before = torch.tensor(rows, dtype=torch.float64)
    counted = torch.arange(4) < length
    reward, before = reward * counted, before * counted
    after = [float(before[t + 1]) if t + 1 < length else 0.0 for t in range(4)]
    surprise = [float(reward[t]) + discount * after[t] - float(before[t]) for t in range(length)]
    expected = [
        sum((discount * trace) ** (s - t) * surprise[s] for s in range(t, length)) if t < length else 0.0
        for t in range(4)
    ]
    found = advantages(reward[None], before[None], counted[None], discount, trace)
    torch.testing.assert_close(found, torch.tensor([expected], dtype=torch.float64))


def test_with_a_long_trace_an_advantage_is_the_return_less_what_was_expected() -> None:
    reward, before = torch.tensor([[1.0, 2.0, 4.0]]), torch.tensor([[0.5, 3.0, -1.0]])
    counted = torch.ones(1, 3, dtype=torch.bool)
    torch.testing.assert_close(advantages(reward, before, counted, 1.0, 1.0), torch.tensor([[6.5, 3.0, 5.0]]))


@pytest.mark.parametrize("name", ["grpo", "ppo"])
def test_the_first_pass_has_the_exact_gradient(name: str) -> None:
    """Before anything is clipped the two are policy gradients, but for a factor: each of them averages over tokens."""
    generator = Bigrams()
    found = []
    for seed in range(4):
        context = a_context(generator, 20_000, value=Judgement(torch.zeros(LENGTH)))
        context.rows_rng.manual_seed(seed)
        if name == "grpo":
            objective: Objective = GRPO(SequenceWorth(), group=10_000)
        else:
            objective = PPO(TokenWorth(), trace=1.0)
        (loss,) = objective.terms(objective.updates[0], context).values()
        found.append(-torch.autograd.grad(loss, generator.scores)[0])
    gradient, exact = torch.stack(found).mean(0).flatten(), exact_gradient(generator).flatten()
    assert float(torch.nn.functional.cosine_similarity(gradient, exact, dim=0)) > (0.9 if name == "grpo" else 0.99)


def test_further_passes_are_clipped_against_the_first() -> None:
    generator, context = Bigrams(), None
    objective = GRPO(SequenceWorth(), group=4, clip=0.1, passes=3)
    assert [update.continues for update in objective.updates] == [False, True, True]
    context = a_context(generator, 64)
    first = objective.terms(objective.updates[0], context)["surrogate"]
    assert float(first.detach()) == pytest.approx(0, abs=0.1), "advantages of a group sum to 0"
    with torch.no_grad():
        generator.scores += 5 * torch.randn(generator.scores.shape, generator=torch.Generator().manual_seed(2))
    context = context.continued()
    second = objective.terms(objective.updates[1], context)["surrogate"]
    advantage, old = context.carried["advantage"][:, None], context.carried["log_prob"]
    counts = old != 0
    ratio = (context.log_prob() - old).exp()
    gain = torch.minimum(ratio * advantage, ratio.clamp(0.9, 1.1) * advantage) * counts
    torch.testing.assert_close(second, -(gain.sum(1) / counts.sum(1)).mean())


def test_terms_of_the_stage_join_every_pass() -> None:
    objective = GRPO(SequenceWorth(), group=4, passes=2)
    objective.attach([WeightedTerm("entropy", Entropy(), weight=0.5)])
    context = a_context(Bigrams(), 8)
    assert set(objective.losses(objective.updates[0], context)) == {"surrogate", "entropy"}
    assert set(objective.losses(objective.updates[1], context.continued())) == {"surrogate", "entropy"}


def test_a_batch_must_hold_whole_groups() -> None:
    with pytest.raises(TrainingError, match="groups of 4"):
        GRPO(SequenceWorth(), group=4).terms(Update("generator", ("generator",)), a_context(Bigrams(), 6))


# ---- KL and entropy ----


def test_the_divergence_from_where_the_stage_began() -> None:
    """Over every sequence the mean of k3 is the divergence; and a checkpoint keeps the reference."""
    generator, term = Bigrams(), KL()
    assert float(term(a_context(generator, 64)).detach()) == pytest.approx(0, abs=1e-6)
    before = copy.deepcopy(generator)
    with torch.no_grad():
        generator.scores += torch.randn(generator.scores.shape, generator=torch.Generator().manual_seed(3))
    tokens, lengths = every_sequence()
    now, then = (one.log_prob(tokens, {}, lengths).detach() for one in (generator, before))
    # Of whole sequences, over the mean length: what the term estimates token by token.
    probability = now.sum(1).exp()
    exact = (probability * (now - then).sum(1)).sum() / (probability * lengths).sum()
    restored = KL()
    restored.load_state_dict(term.state_dict())
    for one in (term, restored):
        found = one(a_context(generator, 60_000))
        assert float(found.detach()) == pytest.approx(float(exact), rel=0.05)
        (gradient,) = torch.autograd.grad(found, generator.scores)
        assert gradient.any()


def test_entropy_and_its_gradient() -> None:
    generator = Bigrams()
    tokens, lengths = every_sequence()
    log_prob = generator.log_prob(tokens, {}, lengths).sum(1)
    (exact,) = torch.autograd.grad((log_prob.exp() * log_prob).sum(), generator.scores)
    context = a_context(generator, 60_000)
    value = Entropy()(context)
    drawn = context.sample()
    assert drawn.lengths is not None
    per_sequence = float(value.detach()) * float(drawn.lengths.float().mean())
    assert per_sequence == pytest.approx(float((log_prob.exp() * log_prob).sum().detach()), rel=0.02)
    (found,) = torch.autograd.grad(value, generator.scores)
    scaled = found * drawn.lengths.float().mean()
    torch.testing.assert_close(scaled, exact, atol=0.03, rtol=0)

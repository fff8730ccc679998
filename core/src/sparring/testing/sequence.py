"""The contract of generators of sequences."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from sparring.interfaces.data import Batch
from sparring.interfaces.generator import Generated, SequenceGenerator
from sparring.testing.contract import global_seed, rng_at, same
from sparring.testing.modules import ROWS, LearningContract, backward

MANY = 16
TINY = 1e-5
DRAWS = "pass generator=rng to every torch function that draws"


class SequenceGeneratorContract(LearningContract):
    """What a generator of token sequences promises. Give ``data`` whose samples are tokens ``(B, T)`` with lengths.

    Where several tests of one file share data, build them once, outside the class.
    """

    kind = "generator"
    interface: ClassVar[type | None] = SequenceGenerator
    sequences = True

    def inputs(self, module: Any, rows: int, *, seed: int = 0) -> Batch:
        return self.materials.batch(rows, seed=seed)

    def call(self, module: Any, inputs: Batch) -> tuple[Tensor, ...]:
        found: Tensor = module.log_prob(inputs.sample, inputs.condition, inputs.lengths)
        return (found,)

    def sample(self, module: SequenceGenerator, seed: int = 0, **options: Any) -> Generated:
        """Draw ``MANY`` sequences in evaluation mode."""
        condition = self.materials.batch(MANY).condition
        with torch.no_grad():
            return module.eval().sample(MANY, condition, rng=rng_at(seed), **options)

    def relax(self, module: SequenceGenerator, seed: int = 0) -> Generated:
        """Draw ``MANY`` differentiable sequences."""
        return module.relax(MANY, self.materials.batch(MANY).condition, temperature=1.0, rng=rng_at(seed))

    # ---- likelihood ----

    def test_log_prob_is_of_each_token(self) -> None:
        """There is one log-probability a token, at most 0, and 0 past the end."""
        module, batch = self.build().eval(), self.materials.batch(MANY)
        with torch.no_grad():
            found = module.log_prob(batch.sample, batch.condition, batch.lengths)
        self.expect(
            found.shape == batch.sample.shape,
            f"log_prob of tokens {tuple(batch.sample.shape)} has the shape {tuple(found.shape)}",
            "return one value a token: gather it from log_softmax over the vocabulary",
        )
        self.expect(bool(found.isfinite().all()), "log_prob is not finite", "use log_softmax, not log of softmax")
        self.expect(bool((found <= TINY).all()), "log_prob exceeds 0: it is no log-probability", "use log_softmax")
        self.expect(
            not found[past(batch.lengths, found)].any(),
            "log_prob is not zero past the end, so that padding would be learnt",
            "multiply by torch.arange(T) < lengths[:, None]",
        )

    def test_the_whole_distribution_is_that_of_log_prob(self) -> None:
        """Where it gives the whole distribution, this sums to one, and log_prob is its part."""
        module, batch = self.build().eval(), self.materials.batch(ROWS)
        if type(module).log_distribution is SequenceGenerator.log_distribution:
            return
        with torch.no_grad():
            whole = module.log_distribution(batch.sample, batch.condition)
            chosen = module.log_prob(batch.sample, batch.condition, batch.lengths)
        self.expect_close(
            whole.exp().sum(2), torch.ones(batch.sample.shape), "log_distribution does not sum to 1", "use log_softmax"
        )
        found = whole.gather(2, batch.sample[..., None]).squeeze(2).masked_fill(past(batch.lengths, batch.sample), 0.0)
        self.expect_close(
            found,
            chosen,
            "log_distribution differs from log_prob",
            "compute both from the same scores, of the tokens before",
            tolerance=1e-3,
        )

    def test_log_prob_looks_back_only(self) -> None:
        """A token's log-probability depends on no later token."""
        module, batch = self.build().eval(), self.materials.batch(ROWS)
        tokens = batch.sample
        if tokens.shape[1] < 2:
            return
        half = tokens.shape[1] // 2
        changed = tokens.clone()
        changed[:, half:] = tokens.roll(1, dims=0)[:, half:]
        changed[:, -1] = tokens[:, 0]
        with torch.no_grad():
            first, second = (module.log_prob(one, batch.condition)[:, :half] for one in (tokens, changed))
        self.expect_close(
            first,
            second,
            "a token's log-probability depends on tokens after it",
            "shift the inputs by one, and mask attention to the past",
        )

    def test_rows_are_independent(self) -> None:
        """In evaluation mode a row's likelihood does not depend on the rows beside it."""
        self.expect_independent_rows(self.build())

    # ---- samples ----

    def test_samples_are_tokens_with_lengths(self) -> None:
        """Samples are whole numbers of the vocabulary, with lengths in range and padding 0 past the end."""
        module = self.build()
        made = self.sample(module)
        tokens, lengths = made.sample, made.lengths
        vocabulary = self.relax(module).sample.shape[2]
        self.expect(
            tokens.dim() == 2 and len(tokens) == MANY and not tokens.is_floating_point(),
            f"sample gives {tokens.dtype} of shape {tuple(tokens.shape)}",
            "return tokens (n, T) of whole numbers",
        )
        self.expect(
            bool(((tokens >= 0) & (tokens < vocabulary)).all()),
            f"tokens lie outside the vocabulary of {vocabulary} that relax gives",
            "draw from the vocabulary that relax spans",
        )
        if lengths is None:
            self.fail("sample gives no lengths", "return Generated(tokens, lengths, ...)")
        self.expect(
            tuple(lengths.shape) == (MANY,) and bool(((lengths >= 0) & (lengths <= tokens.shape[1])).all()),
            f"the lengths {lengths.tolist()} do not fit {tokens.shape[1]} positions",
            "count the tokens of each row, at most T",
        )
        self.expect(
            not tokens[past(lengths, tokens)].any(),
            "tokens past the end are not 0",
            "pad with 0, as the adversarial objective pads real sequences",
        )

    def test_sampled_log_probs_are_those_of_log_prob(self) -> None:
        """``extras["log_probs"]`` is what log_prob says of the sample."""
        module = self.build()
        made = self.sample(module)
        self.expect("log_probs" in made.extras, "sample gives no log_probs", 'put them into extras["log_probs"]')
        with torch.no_grad():
            again = module.log_prob(made.sample, self.materials.batch(MANY).condition, made.lengths)
        self.expect_close(
            made.extras["log_probs"],
            again,
            "the log_probs of a sample are not those that log_prob gives",
            "record the chosen token's log_softmax, before the temperature, and zero past the end",
            tolerance=1e-3,
        )

    def test_sampling_follows_its_rng_alone(self) -> None:
        """The same rng gives the same sample; another gives another."""
        module = self.build()
        with global_seed(1):
            first = self.sample(module)
        with global_seed(2):
            second = self.sample(module)
        self.expect(same(first.sample, second.sample), "sample draws from torch's global generator", DRAWS)
        self.expect(
            not same(first.sample, self.sample(module, seed=1).sample), "sample is the same whatever the rng is", DRAWS
        )

    def test_prefix_is_kept(self) -> None:
        """Samples begin with the prefix that was asked for."""
        module, batch = self.build(), self.materials.batch(MANY)
        shortest = batch.sample.shape[1] if batch.lengths is None else int(batch.lengths.min())
        # One less: the last token may be the end.
        prefix = batch.sample[:, : max(shortest - 1, 1)]
        made = self.sample(module, prefix=prefix)
        self.expect(
            torch.equal(made.sample[:, : prefix.shape[1]], prefix),
            "samples do not begin with their prefix",
            "feed the prefix first, and return it in front of what is drawn",
        )

    def test_max_length_is_kept(self) -> None:
        """No sample is longer than was asked for."""
        made = self.sample(self.build(), max_length=2)
        longest = made.sample.shape[1] if made.lengths is None else int(made.lengths.max())
        self.expect(longest <= 2, f"with max_length=2, a sample has {longest} tokens", "stop at max_length")

    # ---- relaxed samples ----

    def test_relaxed_rows_are_distributions(self) -> None:
        """Relax gives rows that sum to one, one-hot padding past the end."""
        made = self.relax(self.build().eval())
        rows = made.sample.detach()
        self.expect(
            rows.dim() == 3 and len(rows) == MANY and rows.is_floating_point(),
            f"relax gives {rows.dtype} of shape {tuple(rows.shape)}",
            "return rows (n, T, V) of real numbers",
        )
        self.expect_close(
            rows.sum(2), torch.ones(rows.shape[:2]), "relaxed rows do not sum to one", "use softmax over the vocabulary"
        )
        self.expect(bool((rows >= 0).all()), "relaxed rows have negative entries", "use softmax over the vocabulary")
        padding = torch.zeros(rows.shape[2])
        padding[0] = 1
        self.expect(
            torch.equal(
                rows[past(made.lengths, rows[..., 0])], padding.expand_as(rows[past(made.lengths, rows[..., 0])])
            ),
            "relaxed rows past the end are not one-hot padding, by which the critic would tell them",
            "put one_hot(0) there, as real sequences have it",
        )

    def test_relaxed_samples_fit_real_ones(self) -> None:
        """The data's tokens lie within relax's positions and vocabulary."""
        rows, batch = self.relax(self.build()).sample, self.materials.batch(MANY)
        self.expect(
            rows.shape[1] >= batch.sample.shape[1] and rows.shape[2] > int(batch.sample.max()),
            f"relax gives {tuple(rows.shape[1:])} positions and tokens, too few for real samples of "
            f"{batch.sample.shape[1]} positions with tokens up to {int(batch.sample.max())}",
            "take length and vocabulary from the `space` that the constructor is handed",
        )

    def test_relaxed_samples_are_differentiable(self) -> None:
        """A critic's gradient passes through relax into the network."""
        module = self.build().train()
        rows = self.relax(module).sample
        self.expect(rows.requires_grad, "no gradient passes through relax", "leave out argmax and no_grad()")
        backward((rows,))
        reached = [value.grad for value in module.parameters() if value.grad is not None]
        self.expect(
            reached and all(grad.isfinite().all() for grad in reached),
            "the gradient through relax is missing or not finite",
            "keep Gumbel noise finite: clamp before each logarithm",
        )

    def test_relaxing_follows_its_rng_alone(self) -> None:
        """The same rng gives the same relaxed sample."""
        module = self.build().eval()
        with global_seed(1):
            first = self.relax(module).sample
        with global_seed(2):
            second = self.relax(module).sample
        self.expect(same(first, second), "relax draws from torch's global generator", DRAWS)
        self.expect(not same(first, self.relax(module, seed=1).sample), "relax is the same whatever the rng is", DRAWS)


def past(lengths: Tensor | None, tokens: Tensor) -> Tensor:
    """Return a mask ``(B, T)`` of the positions past each row's end."""
    if lengths is None:
        return torch.zeros_like(tokens, dtype=torch.bool)
    return torch.arange(tokens.shape[1]) >= lengths[:, None]

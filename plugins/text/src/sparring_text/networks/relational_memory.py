"""RelGAN's generator: a memory of several slots, which attend to one another and to what is read.

Letters in names of tensors: B rows of the batch, T positions, V tokens of the vocabulary, E values of a token's
embedding, S slots of the memory, M values of a slot (heads · head size), H heads, D values of a head, W values of all
slots (S · M).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparring.interfaces.data import Condition
from sparring.interfaces.generator import Generated, SequenceGenerator
from sparring.interfaces.space import Space
from sparring_text.networks import autoregressive
from sparring_text.networks.autoregressive import Feedback, Relaxation, State, never_written, score_tokens
from sparring_text.networks.conditioning import label_embedding
from sparring_text.spaces import token_space

NAME = "text/relational-memory"


class RelationalMemoryGenerator(SequenceGenerator):
    """Write sentences with a relational memory core, as RelGAN does (Nie, Narodytska and Patel 2019).

    The memory's slots attend to one another and to the token read, by several heads, and gates decide what is kept
    (Santoro et al. 2018, arXiv:1806.01822). The defaults are RelGAN's; against an LSTM a step costs more, and what is
    remembered lies in slots of their own. Padding and start are never written. A class label is embedded as tokens are,
    and added to the input of each step.

    Args:
        space: The sentences' space: ``(T,)`` tokens.
        conditions: None, or ``label``.
        slots: Of the memory.
        heads: Attentions beside one another.
        head_size: Values of a head; a slot has ``heads`` times as many.
        embedding_dim: Values of a token's embedding.
        tied: Whether a token's scores use its embedding too, as ``text/lstm`` explains; RelGAN's do not.
        relaxation: What the critic sees, ``straight-through`` or ``soft`` rows: see ``text/lstm``.
        feedback: What the network reads next while relaxing, ``hard``, ``straight-through`` or ``soft``: see
            ``text/lstm``.
    """

    def __init__(
        self,
        space: Space,
        conditions: Mapping[str, Space],
        slots: int = 1,
        heads: int = 2,
        head_size: int = 256,
        embedding_dim: int = 32,
        tied: bool = False,
        relaxation: Relaxation = "soft",
        feedback: Feedback = "hard",
    ) -> None:
        super().__init__()
        known = token_space(space, NAME)
        self.vocabulary, self.length = known.vocabulary, known.length
        self.relaxation, self.feedback = relaxation, feedback
        self.embedding = nn.Embedding(self.vocabulary, embedding_dim)
        # As in text/lstm: where scores are products with embeddings, unit variance would make them far too sharp.
        nn.init.normal_(self.embedding.weight, std=embedding_dim**-0.5)
        self.memory = RelationalMemory(embedding_dim, slots, heads, head_size)
        values = slots * heads * head_size
        self.project = nn.Linear(values, embedding_dim if tied else self.vocabulary, bias=not tied)
        self.bias = nn.Parameter(torch.zeros(self.vocabulary)) if tied else None
        self.label = label_embedding(conditions, embedding_dim, NAME)
        self.never: Tensor
        self.register_buffer("never", never_written(known), persistent=False)

    def forward(self, latent: Tensor | None, condition: Condition) -> NoReturn:
        """Refuse: sentences are sampled, not computed from a latent.

        Raises:
            TrainingError: Always.
        """
        autoregressive.refuse_latent(NAME)

    def log_prob(self, tokens: Tensor, condition: Condition, lengths: Tensor | None = None) -> Tensor:
        return autoregressive.log_prob(self, tokens, condition, lengths)

    def log_distribution(self, tokens: Tensor, condition: Condition) -> Tensor:
        return autoregressive.log_distribution(self, tokens, condition)

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
        return autoregressive.sample(
            self, n, condition, rng=rng, prefix=prefix, max_length=max_length, temperature=temperature
        )

    def relax(self, n: int, condition: Condition, *, temperature: float, rng: torch.Generator) -> Generated:
        return autoregressive.relax(self, n, condition, temperature=temperature, rng=rng)

    # ---- what autoregressive.py asks of a network ----

    def embeddings(self) -> Tensor:
        """Return what it reads of each token, ``(V, E)``."""
        return self.embedding.weight

    def begin(self, n: int) -> State:
        """Return the first memory, ``(n, S, M)``."""
        return (self.memory.first(n),)

    def step(self, before_BE: Tensor, state: State) -> tuple[Tensor, State]:
        """Read one embedded token; return the memory ``(B, W)`` after it."""
        memory_BSM = self.memory(before_BE, state[0])
        return memory_BSM.flatten(1), (memory_BSM,)

    def read(self, before_BTE: Tensor) -> Tensor:
        """Return the memory ``(B, T, W)`` after each token."""
        memory_BSM, found = self.memory.first(len(before_BTE)), []
        for before_BE in before_BTE.unbind(1):
            memory_BSM = self.memory(before_BE, memory_BSM)
            found.append(memory_BSM.flatten(1))
        return torch.stack(found, dim=1)

    def score(self, hidden: Tensor) -> Tensor:
        """Return scores ``(…, V)`` from the memory's values ``(…, W)``."""
        return score_tokens(hidden, self.project, self.embedding, self.bias, self.never)


class RelationalMemory(nn.Module):
    """A memory whose slots attend to one another and to the input (Santoro et al. 2018, section 3).

    Args:
        inputs: Values of an input.
        slots: Of the memory.
        heads: Attentions beside one another.
        head_size: Values of a head.
    """

    def __init__(self, inputs: int, slots: int, heads: int, head_size: int) -> None:
        super().__init__()
        if min(slots, heads, head_size) < 1:
            raise ValueError(f"a memory has at least 1 slot, head and value, not {slots}, {heads} and {head_size}")
        self.slots, self.heads = slots, heads
        self.size = size = heads * head_size
        self.enter = nn.Linear(inputs, size)
        self.query, self.key_value = nn.Linear(size, size), nn.Linear(size, 2 * size)
        self.look_norm, self.think_norm = nn.LayerNorm(size), nn.LayerNorm(size)
        self.think = nn.Sequential(nn.Linear(size, size), nn.ReLU(), nn.Linear(size, size), nn.ReLU())
        self.gate_input, self.gate_memory = nn.Linear(size, 2 * size), nn.Linear(size, 2 * size, bias=False)
        # A forget gate that is mostly open at first: gradients of early tokens live (Jozefowicz et al. 2015).
        self.keep = nn.Parameter(torch.ones(size))

    def first(self, n: int) -> Tensor:
        """Return the memory before anything was read ``(n, S, M)``: slots differ, or they would stay alike forever."""
        return torch.eye(self.slots, self.size, device=self.keep.device, dtype=self.keep.dtype).expand(n, -1, -1)

    def forward(self, input_BE: Tensor, memory_BSM: Tensor) -> Tensor:
        """Read one input ``(B, E)``; return the memory after it, ``(B, S, M)``."""
        input_B1M = self.enter(input_BE)[:, None]
        attended_BSM = self._attend(memory_BSM, torch.cat([memory_BSM, input_B1M], dim=1))
        candidate_BSM = self.look_norm(memory_BSM + attended_BSM)
        candidate_BSM = self.think_norm(candidate_BSM + self.think(candidate_BSM))
        gates = self.gate_input(input_B1M) + self.gate_memory(memory_BSM.tanh())
        write_BSM, keep_BSM = gates.chunk(2, dim=2)
        kept_BSM = (keep_BSM + self.keep).sigmoid() * memory_BSM
        following_BSM: Tensor = kept_BSM + write_BSM.sigmoid() * candidate_BSM.tanh()
        return following_BSM

    def _attend(self, memory_BSM: Tensor, seen: Tensor) -> Tensor:
        """Return what slots ``(B, S, M)`` find in the memory and the input ``(B, S + 1, M)``."""
        key, value = (self._by_head(part) for part in self.key_value(seen).chunk(2, dim=2))
        found_BHSD = functional.scaled_dot_product_attention(self._by_head(self.query(memory_BSM)), key, value)
        return found_BHSD.transpose(1, 2).flatten(2)

    def _by_head(self, values: Tensor) -> Tensor:
        """Deal values ``(B, …, M)`` out to heads: ``(B, H, …, D)``."""
        return values.view(*values.shape[:2], self.heads, -1).transpose(1, 2)

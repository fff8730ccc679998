"""A pretrained causal language model that goes on learning.

Letters in names of tensors: B rows of the batch, T positions, V tokens of our vocabulary, E values of a token's
embedding, A tokens of the model's own vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from sparring.interfaces.data import Condition
from sparring.interfaces.generator import Generated, SequenceGenerator
from sparring.interfaces.space import Space
from sparring.transfer.libraries import import_transformers
from sparring_text.networks import autoregressive
from sparring_text.networks.autoregressive import NEVER, Feedback, Relaxation, State, never_written
from sparring_text.networks.conditioning import label_embedding
from sparring_text.pretrained import check_room, load_causal_lm
from sparring_text.pretrained_tokens import their_numbers
from sparring_text.spaces import token_space
from sparring_text.tokens import UNKNOWN

NAME = "text/causal-lm"


class CausalLMGenerator(SequenceGenerator):
    """Write sentences with any causal language model of the Hugging Face hub, such as GPT-2, Llama or SmolLM2.

    The data's tokens must be those of the model. Those of its tokens that the data do not have are never written, nor
    are padding and start. All its weights are trained, or by ``adapt: {use: lora}`` only small matrices beside them. A
    class label is embedded, and added to the input of each step; its embedding is 0 at first, so that the model begins
    as it was pretrained. With ``adapt`` it learns along by ``train: ["label.*"]``.

    Args:
        space: The sentences' space: ``(T,)`` tokens.
        conditions: None, or ``label``.
        pretrained: The model: a folder, or its name on the hub, from where it is fetched when the network is built.
        relaxation: What the critic sees, ``straight-through`` or ``soft`` rows: see ``text/lstm``.
        feedback: What the network reads next while relaxing, ``hard``, ``straight-through`` or ``soft``: see
            ``text/lstm``.
    """

    def __init__(
        self,
        space: Space,
        conditions: Mapping[str, Space],
        pretrained: str,
        relaxation: Relaxation = "straight-through",
        feedback: Feedback = "hard",
    ) -> None:
        super().__init__()
        known = token_space(space, NAME)
        self.vocabulary, self.length = known.vocabulary, known.length
        self.relaxation, self.feedback = relaxation, feedback
        theirs, knows_unknown = their_numbers(known, pretrained)
        model = load_causal_lm(pretrained)
        check_room(model, self.length, pretrained)
        never = never_written(known)
        if not knows_unknown:
            never[UNKNOWN] = NEVER  # it would have the score of the end
        self.theirs: Tensor
        self.never: Tensor
        self.register_buffer("theirs", theirs, persistent=False)
        self.register_buffer("never", never, persistent=False)
        self.label = label_embedding(conditions, model.get_input_embeddings().embedding_dim, NAME)
        if self.label is not None:
            nn.init.zeros_(self.label.weight)
        self.model: Any = model

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
        """Return what it reads of each of our tokens, ``(V, E)``."""
        table_VE: Tensor = self.model.get_input_embeddings()(self.theirs)
        return table_VE

    def begin(self, n: int) -> State:
        """Return no keys and values: how many there are, the model says at its first step."""
        return ()

    def step(self, before_BE: Tensor, state: State) -> tuple[Tensor, State]:
        """Read one embedded token; return the model's own scores ``(B, V)`` of the next one, and keys and values."""
        cache = import_transformers().DynamicCache()
        for layer in range(len(state) // 2):
            cache.update(state[2 * layer], state[2 * layer + 1], layer)
        found = self.model(inputs_embeds=before_BE[:, None], past_key_values=cache, use_cache=True)
        following = [part for layer in found.past_key_values.layers for part in (layer.keys, layer.values)]
        return found.logits[:, 0].index_select(1, self.theirs), tuple(following)

    def read(self, before_BTE: Tensor) -> Tensor:
        """Return the model's own scores of our tokens after each token, ``(B, T, V)``."""
        scores_BTA: Tensor = self.model(inputs_embeds=before_BTE, use_cache=False).logits
        return scores_BTA.index_select(2, self.theirs)

    def score(self, hidden: Tensor) -> Tensor:
        """Return scores ``(…, V)``, of which those of tokens that are never written are hidden."""
        return hidden + self.never

"""How likely a pretrained language model finds generated sentences.

Letters in names of tensors: B rows, T positions, V tokens.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional

from sparring.errors import DataError
from sparring.interfaces.data import Batch
from sparring.interfaces.metric import Encoder, Metric
from sparring.interfaces.space import Space
from sparring_text.metrics.encoders import ROWS, named, padding_tokenizer, tokenized
from sparring_text.pretrained import load_causal_lm
from sparring_text.spaces import token_space


class CausalLikelihood(Encoder):
    """A pretrained language model as an encoder: a sentence's negative log-likelihood in nats, and its tokens.

    Args:
        space: The sentences' space.
        model: A local folder, or a name on the hub.
    """

    def __init__(self, space: Space, model: str) -> None:
        super().__init__()
        self.space = token_space(space, "text/perplexity")
        self.tokenizer, self.network = padding_tokenizer(model), load_causal_lm(model)
        self.name = named(model, self.network)
        first = (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id)
        self._first = next((number for number in first if number is not None), None)
        self.eval().requires_grad_(False)

    @torch.no_grad()
    def forward(self, sample: Tensor) -> Tensor:
        """Map tokens ``(B, T)`` of the space to ``(B, 2)``; an empty sentence has no token to judge."""
        self.to(sample.device)
        texts = [self.space.decode(row) for row in sample.cpu()]
        found_B2 = torch.zeros(len(texts), 2, device=sample.device)
        written = torch.tensor([index for index, text in enumerate(texts) if text], dtype=torch.long)
        for rows in torch.split(written, ROWS):
            chosen = [texts[index] for index in rows.tolist()]
            read = tokenized(self.tokenizer, self.network, chosen, special=False)
            numbers_BT, counts_BT = read["input_ids"], read["attention_mask"]
            if self._first is not None:
                # The model needs something to foretell the first token from; what it is is not judged.
                numbers_BT = functional.pad(numbers_BT, (1, 0), value=self._first)
                counts_BT = functional.pad(counts_BT, (1, 0), value=1)
            if numbers_BT.shape[1] < 2:
                continue
            scores_BTV = self.network(input_ids=numbers_BT, attention_mask=counts_BT).logits[:, :-1].float()
            nll_BT = functional.cross_entropy(scores_BTV.transpose(1, 2), numbers_BT[:, 1:], reduction="none")
            judged_BT = counts_BT[:, 1:]
            sums_B2 = torch.stack([(nll_BT * judged_BT).sum(1), judged_BT.sum(1).float()], dim=1)
            found_B2[rows.to(sample.device)] = sums_B2
        return found_B2


class Perplexity(Metric):
    """How surprised a named pretrained language model is by generated sentences: the perplexity of one of its tokens.

    Any causal language model of Hugging Face's transformers. ``perplexity`` says whether sentences read like the text
    that the model learnt, and nothing of variety: repeated phrases are the least surprising of all. So
    ``real_perplexity``, of the held-out sentences, is what to come near and not to fall below. The model's name and a
    hash of its weights stand beside the figures; the end of sentences is not judged.

    Attributes:
        encoder: The model.

    Args:
        space: The sentences' space.
        model: A local folder, or a name on the hub, such as ``HuggingFaceTB/SmolLM2-135M``.
    """

    better: ClassVar[Literal["higher", "lower"]] = "lower"

    def __init__(self, space: Space, model: str) -> None:
        self.encoder = CausalLikelihood(space, model)
        self.reset()

    def reset(self) -> None:
        self._real, self._fake = torch.zeros(2).double(), torch.zeros(2).double()

    def update(self, real: Batch, fake: Batch) -> None:
        for sums, batch in ((self._real, real), (self._fake, fake)):
            if len(batch):
                sums += self.encoder(batch.sample).double().sum(0).cpu()

    def compute(self) -> dict[str, float]:
        if not self._fake[1]:
            raise DataError("text/perplexity has seen no generated word", remedy="call `update` with sentences")
        values = {"perplexity": _perplexity(self._fake)}
        if self._real[1]:
            values["real_perplexity"] = _perplexity(self._real)
        return values


def _perplexity(sums: Tensor) -> float:
    return math.exp(float(sums[0] / sums[1]))

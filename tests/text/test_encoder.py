"""A pretrained encoder as a critic: it sees what it always saw, and is trained only where it is asked for."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from sparring.data.fetch import folder_of
from sparring.errors import DataError
from sparring.spaces.label import LabelSpace
from sparring.spaces.point import PointSpace
from sparring.transfer.libraries import import_transformers
from sparring_text.networks.encoder import EncoderDiscriminator
from sparring_text.pretrained import MINILM
from sparring_text.pretrained import SENTENCES as SENTENCES_ENCODER
from sparring_text.pretrained_tokens import adopted, their_pieces
from sparring_text.spaces import TokenSpace
from sparring_text.tokens import START
from tests.text.corpora import SENTENCES, batch_of, space_of
from tests.text.pretrained_models import POSITIONS, source, write_bert

LENGTH = 14
LABELLED = {"label": LabelSpace(["one", "two"])}


def space(kind: str) -> TokenSpace:
    return TokenSpace(adopted(source(kind)), LENGTH)


def critic(kind: str, **options: Any) -> EncoderDiscriminator:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return EncoderDiscriminator(space(kind), **{"conditions": {}, "pretrained": source(kind), **options})


def judged(network: EncoderDiscriminator, sample: Tensor, lengths: Tensor | None, **condition: Tensor) -> Tensor:
    found: Tensor = network(sample, condition, lengths).logits[0]
    return found


def rows_of(tokens: Tensor, vocabulary: int) -> Tensor:
    return one_hot(tokens, vocabulary).float()


def test_features_are_the_mean_of_what_the_encoder_gives() -> None:
    transformers = import_transformers()
    model = transformers.AutoModel.from_pretrained(source("bert")).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(source("bert"))
    network, batch = critic("bert").eval(), batch_of(space("bert"), SENTENCES[:6])
    mean, hidden = network(batch.sample, {}, batch.lengths).features[0]
    with torch.no_grad():
        for row, sentence in enumerate(SENTENCES[:6]):
            given = tokenizer(sentence, return_tensors="pt")
            expected = model(**given).last_hidden_state[0].mean(0)
            torch.testing.assert_close(mean[row], expected, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(judged(network, batch.sample, batch.lengths), network.head(hidden).squeeze(1))


def test_rows_are_judged_as_tokens_and_padding_counts_nowhere() -> None:
    network, known = critic("bert").eval(), space("bert")
    batch = batch_of(known, SENTENCES[:6])
    assert batch.lengths is not None
    rows = rows_of(batch.sample, known.vocabulary).requires_grad_(True)
    found = judged(network, rows, batch.lengths)
    torch.testing.assert_close(found, judged(network, batch.sample, batch.lengths))
    found.sum().backward()
    past = torch.arange(LENGTH) >= batch.lengths[:, None]
    assert rows.grad is not None
    assert not rows.grad[past].any()
    assert rows.grad[~past].flatten(1).any(1).all()
    spoilt = torch.where(past, 7, batch.sample)
    torch.testing.assert_close(judged(network, spoilt, batch.lengths), found)
    assert judged(network, batch.sample, torch.zeros(6, dtype=torch.long)).isfinite().all()


def test_tokens_of_another_kind_are_read_in_pieces() -> None:
    """A word that is one piece is exactly that; another is the mean of its pieces."""
    words = space_of(length=LENGTH)
    tokenizer = import_transformers().AutoTokenizer.from_pretrained(source("bert"))
    pieces = their_pieces(words, source("bert"))
    for number, expected in ((words.encode("the")[0], "the"), (words.encode("nobody")[0], "nobody")):
        assert pieces[int(number)] == tokenizer(expected, add_special_tokens=False).input_ids
    assert {len(those) for those in pieces} > {1, 2}
    assert pieces[:4] == [[tokenizer.convert_tokens_to_ids(text)] for text in ("[PAD]", "[CLS]", "[SEP]", "[UNK]")]
    network = EncoderDiscriminator(words, {}, source("bert")).eval()
    seen: list[Tensor] = []
    encoder: Any = network.encoder.network
    encoder.register_forward_pre_hook(
        lambda module, positional, named: seen.append(named["inputs_embeds"]), with_kwargs=True
    )
    batch = batch_of(words, SENTENCES[:6])
    network(batch.sample, {}, batch.lengths)
    weight = encoder.get_input_embeddings().weight
    for row, tokens in zip(seen[0], batch.sample.tolist(), strict=True):
        expected_rows = torch.stack([weight[pieces[token]].mean(0) for token in [START, *tokens]])
        torch.testing.assert_close(row, expected_rows)


def test_a_byte_level_model_is_judged_by_an_encoder_of_words() -> None:
    known = space("gpt2")
    pieces = their_pieces(known, source("bert"))
    assert len(pieces) == known.vocabulary
    assert all(pieces)
    network, batch = EncoderDiscriminator(known, {}, source("bert")).eval(), batch_of(known, SENTENCES[:6])
    assert len(set(judged(network, batch.sample, batch.lengths).tolist())) == 6


@pytest.mark.parametrize("frozen", [True, False])
def test_the_encoder_is_trained_only_where_it_is_asked_for(frozen: bool) -> None:
    network = critic("bert", frozen=frozen, conditions=LABELLED).train()
    names = {name.split(".")[0] for name, _ in network.named_parameters()}
    assert names == {"hidden", "head", "label"} | (set() if frozen else {"encoder"})
    saved = {name.split(".")[0] for name in network.state_dict()}
    assert saved == names | {"encoder"}
    assert ("encoder.fingerprint" in network.state_dict()) == frozen
    encoder: Any = network.encoder.network if frozen else network.encoder
    before = copy.deepcopy(encoder.state_dict())
    batch = batch_of(space("bert"), SENTENCES[:6])
    judged(network, batch.sample, batch.lengths, label=torch.arange(6) % 2).sum().backward()
    torch.optim.SGD([value for value in network.parameters() if value.requires_grad], lr=0.1).step()
    assert all(torch.equal(before[name], value) for name, value in encoder.state_dict().items()) == frozen
    # Frozen, it has no dropout in training either.
    two = [judged(network, batch.sample, batch.lengths, label=torch.zeros(6, dtype=torch.long)) for _ in range(2)]
    assert torch.equal(*two) == frozen


def test_mistakes_are_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match="text/pretrained-encoder works on text"):
        EncoderDiscriminator(PointSpace(), {}, source("bert"))
    with pytest.raises(DataError, match="it is no folder here"):
        EncoderDiscriminator(space_of(), {}, "no/such-model")
    with pytest.raises(DataError, match=f"reads {POSITIONS} tokens at most"):
        EncoderDiscriminator(TokenSpace(adopted(source("bert")), POSITIONS + 1), {}, source("bert"))
    damaged = write_bert(tmp_path / "damaged")
    file = tmp_path / "damaged" / "model.safetensors"
    for content in (b"", b"no weights", file.read_bytes()[:500], None):
        file.unlink() if content is None else file.write_bytes(content)
        with pytest.raises(DataError, match="has no model that can be read") as caught:
            EncoderDiscriminator(space("bert"), {}, damaged)
        assert caught.value.where == damaged


def test_without_a_name_it_is_the_sentence_encoder_that_was_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARRING_DATA", str(tmp_path))
    with pytest.raises(DataError, match="not on this machine") as caught:
        EncoderDiscriminator(space("bert"), {})
    assert "sparring data fetch text/sentence-encoder" in caught.value.remedy
    place = folder_of(SENTENCES_ENCODER) / MINILM
    place.parent.mkdir(parents=True)
    shutil.copytree(source("bert"), place)
    found: Any = EncoderDiscriminator(space("bert"), {}).encoder
    wanted: Any = critic("bert").encoder
    assert torch.equal(found.fingerprint, wanted.fingerprint)

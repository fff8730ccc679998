"""Pretrained models as generator and critic: they compute what they did, and what is frozen stays as it was."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot

import sparring
from sparring.errors import CheckpointError, DataError, PluginError
from sparring.spaces.label import LabelSpace
from sparring.spaces.point import PointSpace
from sparring.training import checkpoint
from sparring_text.networks.causal_lm import CausalLMGenerator
from sparring_text.networks.encoder import EncoderDiscriminator
from sparring_text.pretrained import import_transformers, load_causal_lm
from sparring_text.pretrained_tokens import adopted, their_numbers, their_pieces
from sparring_text.spaces import TokenSpace
from sparring_text.tokens import END, PADDING, START, UNKNOWN
from tests.text.corpora import SENTENCES, batch_of, data_of, space_of
from tests.text.pretrained_models import POSITIONS, write_bert, write_gpt2, write_llama

FILES = TemporaryDirectory()  # removed when the process ends
LABELLED = {"label": LabelSpace(["one", "two"])}
WRITERS: dict[str, Callable[[Path], str]] = {"gpt2": write_gpt2, "llama": write_llama, "bert": write_bert}
LENGTH = 14
every_lm = pytest.mark.parametrize("kind", ["gpt2", "llama"])


@pytest.fixture(scope="module")
def sources() -> dict[str, str]:
    return {kind: write(Path(FILES.name) / kind) for kind, write in WRITERS.items()}


def space(source: str) -> TokenSpace:
    return TokenSpace(adopted(source), LENGTH)


def generator(source: str, **options: Any) -> CausalLMGenerator:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return CausalLMGenerator(space(source), **{"conditions": {}, "pretrained": source, **options})


def critic(source: str, **options: Any) -> EncoderDiscriminator:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return EncoderDiscriminator(space(source), **{"conditions": {}, "pretrained": source, **options})


# ---- the causal language model ----


@every_lm
@pytest.mark.parametrize("rank", [0, 2])
def test_likelihoods_are_those_of_the_model(kind: str, rank: int, sources: dict[str, str]) -> None:
    """At first LoRA adds nothing. Of the model's own tokens, those that we never write are left out of its softmax."""
    network, batch = generator(sources[kind], lora_rank=rank).eval(), batch_of(space(sources[kind]), SENTENCES[:9])
    model = load_causal_lm(sources[kind]).eval()
    numbers, _ = their_numbers(space(sources[kind]), sources[kind])
    assert batch.lengths is not None
    with torch.no_grad():
        found = network.log_prob(batch.sample, {}, batch.lengths)
        for row, length, scores in zip(batch.sample, batch.lengths.tolist(), found, strict=True):
            texts = numbers[torch.cat([torch.tensor([START]), row[: length - 1]])]
            theirs = model(texts[None]).logits[0].index_select(1, numbers)
            theirs[:, [PADDING, START]] = -torch.inf
            if kind == "gpt2":
                theirs[:, UNKNOWN] = -torch.inf
            expected = theirs.log_softmax(1).gather(1, row[:length, None]).squeeze(1)
            torch.testing.assert_close(scores[:length], expected, atol=1e-4, rtol=1e-4)


@every_lm
def test_cached_scores_are_those_of_reading_everything_again(kind: str, sources: dict[str, str]) -> None:
    network, tokens = generator(sources[kind]).eval(), batch_of(space(sources[kind]), SENTENCES[:5]).sample
    with torch.no_grad():
        embedded = network.embeddings()[tokens]
        state = network.begin(5)
        for place in range(LENGTH):
            cached, state = network.step(embedded[:, place], state)
            assert len(state) == 4
            assert all(part.shape[0] == 5 and part.shape[2] == place + 1 for part in state)
            again = network.score(network.read(embedded[:, : place + 1])[:, -1])
            torch.testing.assert_close(cached, again, atol=1e-4, rtol=1e-4)


def test_unknown_words_are_never_written_by_a_model_that_has_none(sources: dict[str, str]) -> None:
    for kind, writes in (("gpt2", False), ("llama", True)):
        network = generator(sources[kind]).eval()
        assert (network.never[UNKNOWN] == 0) == writes
        with torch.no_grad():
            made = network.sample(200, {}, rng=torch.Generator().manual_seed(0)).sample
        assert not (made == START).any()
        assert writes or not (made == UNKNOWN).any()
        assert (made == END).any()


def test_a_smaller_vocabulary_trains_the_same_model(sources: dict[str, str]) -> None:
    some = SENTENCES[:10]
    small = TokenSpace(adopted(sources["gpt2"], some), LENGTH)
    network = CausalLMGenerator(small, {}, sources["gpt2"]).eval()
    made = network.relax(3, {}, temperature=1.0, rng=torch.Generator().manual_seed(0)).sample
    assert made.shape == (3, LENGTH, small.vocabulary)
    batch = batch_of(small, some)
    with torch.no_grad():
        fewer = network.log_prob(batch.sample, {}, batch.lengths)
        whole = batch_of(space(sources["gpt2"]), some)
        more = generator(sources["gpt2"]).eval().log_prob(whole.sample, {}, whole.lengths)
    # The same tokens, with fewer others to choose from.
    assert (fewer >= more - 1e-5).all()


def trained(network: CausalLMGenerator, source: str) -> None:
    """Take a step of gradient descent on sentences."""
    batch = batch_of(space(source), SENTENCES[:9])
    parameters = [value for value in network.parameters() if value.requires_grad]
    (-network.log_prob(batch.sample, {}, batch.lengths).sum()).backward()
    torch.optim.SGD(parameters, lr=0.1).step()


@every_lm
def test_lora_trains_its_matrices_alone(kind: str, sources: dict[str, str], tmp_path: Path) -> None:
    network = generator(sources[kind], lora_rank=2)
    base = load_causal_lm(sources[kind])
    trained(network, sources[kind])
    trained(network, sources[kind])  # the first step cannot move the inner matrices: the outer ones are 0
    state = network.state_dict()
    assert all("lora_" in name or name == "model.fingerprint" for name in state)
    assert sum("lora_B" in name and bool(value.any()) for name, value in state.items()) > 3
    kept = {name.replace("base_layer.", ""): value for name, value in network.model.network.named_parameters()}
    for name, value in base.named_parameters():
        assert torch.equal(kept[name], value), name
    assert not any("lora_" in name and "lm_head" in name for name in kept)
    # What a checkpoint holds is enough to go on, beside the same pretrained weights.
    file = tmp_path / "generator.safetensors"
    checkpoint.write_weights(network, file)
    assert file.stat().st_size < sum(value.numel() * 4 for value in base.parameters())
    again = generator(sources[kind], lora_rank=2)
    checkpoint.load_weights(again, file, role="generator")
    batch = batch_of(space(sources[kind]), SENTENCES[:9])
    with torch.no_grad():
        one, other = (each.eval().log_prob(batch.sample, {}, batch.lengths) for each in (network, again))
    assert torch.equal(one, other)


def test_a_copy_of_lora_stands_alone(sources: dict[str, str]) -> None:
    """A moving average is a copy: its matrices are those that its own model uses."""
    network = generator(sources["gpt2"], lora_rank=2)
    trained(network, sources["gpt2"])
    other, batch = copy.deepcopy(network).eval(), batch_of(space(sources["gpt2"]), SENTENCES[:3])
    with torch.no_grad():
        before = network.eval().log_prob(batch.sample, {})
        assert torch.equal(other.log_prob(batch.sample, {}), before)
        for value in other.parameters():
            value.add_(1.0)
        assert not torch.equal(other.log_prob(batch.sample, {}), before)
        assert torch.equal(network.log_prob(batch.sample, {}), before)


def test_lora_beside_other_weights_is_refused(sources: dict[str, str], tmp_path: Path) -> None:
    other = tmp_path / "other"
    write_gpt2(other)
    model = load_causal_lm(str(other))
    with torch.no_grad():
        model.transformer.wte.weight.add_(0.1)
    model.save_pretrained(other)
    file = tmp_path / "generator.safetensors"
    checkpoint.write_weights(generator(sources["gpt2"], lora_rank=2), file)
    with pytest.raises(CheckpointError, match="pretrained weights of SHA-256"):
        checkpoint.load_weights(generator(str(other), lora_rank=2), file, role="generator")


def test_what_is_missing_is_named(sources: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(PluginError, match="LoRA needs the library peft") as caught:
        generator(sources["gpt2"], lora_rank=2)
    assert "sparring-text[lora]" in caught.value.remedy
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(PluginError, match="need the library transformers"):
        generator(sources["gpt2"])


def test_torchaudio_that_cannot_be_loaded_is_no_hindrance() -> None:
    """The library imports it for any model; every test here fails where that goes wrong. It stays importable."""
    assert import_transformers().GPT2LMHeadModel


# ---- the encoder ----


def judged(network: EncoderDiscriminator, sample: Tensor, lengths: Tensor | None, **condition: Tensor) -> Tensor:
    found: Tensor = network(sample, condition, lengths).logits[0]
    return found


def rows_of(tokens: Tensor, vocabulary: int) -> Tensor:
    return one_hot(tokens, vocabulary).float()


def test_features_are_the_mean_of_what_the_encoder_gives(sources: dict[str, str]) -> None:
    transformers, source = import_transformers(), sources["bert"]
    model = transformers.AutoModel.from_pretrained(source).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(source)
    network, batch = critic(source).eval(), batch_of(space(source), SENTENCES[:6])
    mean, hidden = network(batch.sample, {}, batch.lengths).features[0]
    with torch.no_grad():
        for row, sentence in enumerate(SENTENCES[:6]):
            given = tokenizer(sentence, return_tensors="pt")
            expected = model(**given).last_hidden_state[0].mean(0)
            torch.testing.assert_close(mean[row], expected, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(judged(network, batch.sample, batch.lengths), network.head(hidden).squeeze(1))


def test_rows_are_judged_as_tokens_and_padding_counts_nowhere(sources: dict[str, str]) -> None:
    network, known = critic(sources["bert"]).eval(), space(sources["bert"])
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


def test_tokens_of_another_kind_are_read_in_pieces(sources: dict[str, str]) -> None:
    """A word that is one piece is exactly that; another is the mean of its pieces."""
    source, words = sources["bert"], space_of(length=LENGTH)
    tokenizer = import_transformers().AutoTokenizer.from_pretrained(source)
    pieces = their_pieces(words, source)
    for number, expected in ((words.encode("the")[0], "the"), (words.encode("nobody")[0], "nobody")):
        assert pieces[int(number)] == tokenizer(expected, add_special_tokens=False).input_ids
    assert {len(those) for those in pieces} > {1, 2}
    assert pieces[:4] == [[tokenizer.convert_tokens_to_ids(text)] for text in ("[PAD]", "[CLS]", "[SEP]", "[UNK]")]
    network = EncoderDiscriminator(words, {}, source).eval()
    seen: list[Tensor] = []
    encoder: Any = network.encoder.network  # type: ignore[union-attr]
    encoder.register_forward_pre_hook(
        lambda module, positional, named: seen.append(named["inputs_embeds"]), with_kwargs=True
    )
    batch = batch_of(words, SENTENCES[:6])
    network(batch.sample, {}, batch.lengths)
    weight = encoder.get_input_embeddings().weight
    for row, tokens in zip(seen[0], batch.sample.tolist(), strict=True):
        expected_rows = torch.stack([weight[pieces[token]].mean(0) for token in [START, *tokens]])
        torch.testing.assert_close(row, expected_rows)


def test_a_byte_level_model_is_judged_by_an_encoder_of_words(sources: dict[str, str]) -> None:
    known = space(sources["gpt2"])
    pieces = their_pieces(known, sources["bert"])
    assert len(pieces) == known.vocabulary
    assert all(pieces)
    network, batch = EncoderDiscriminator(known, {}, sources["bert"]).eval(), batch_of(known, SENTENCES[:6])
    assert len(set(judged(network, batch.sample, batch.lengths).tolist())) == 6


@pytest.mark.parametrize("frozen", [True, False])
def test_the_encoder_is_trained_only_where_it_is_asked_for(frozen: bool, sources: dict[str, str]) -> None:
    network = critic(sources["bert"], frozen=frozen, conditions=LABELLED).train()
    names = {name.split(".")[0] for name, _ in network.named_parameters()}
    assert names == {"hidden", "head", "label"} | (set() if frozen else {"encoder"})
    saved = {name.split(".")[0] for name in network.state_dict()}
    assert saved == names | {"encoder"}
    assert ("encoder.fingerprint" in network.state_dict()) == frozen
    encoder: Any = network.encoder.network if frozen else network.encoder  # type: ignore[union-attr]
    before = copy.deepcopy(encoder.state_dict())
    batch = batch_of(space(sources["bert"]), SENTENCES[:6])
    judged(network, batch.sample, batch.lengths, label=torch.arange(6) % 2).sum().backward()
    torch.optim.SGD([value for value in network.parameters() if value.requires_grad], lr=0.1).step()
    assert all(torch.equal(before[name], value) for name, value in encoder.state_dict().items()) == frozen
    # Frozen, it has no dropout in training either.
    two = [judged(network, batch.sample, batch.lengths, label=torch.zeros(6, dtype=torch.long)) for _ in range(2)]
    assert torch.equal(*two) == frozen


def test_mistakes_are_explained(sources: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for target, source, name in (
        (CausalLMGenerator, sources["gpt2"], "text/causal-lm"),
        (EncoderDiscriminator, sources["bert"], "text/pretrained-encoder"),
    ):
        with pytest.raises(DataError, match=f"{name} works on text"):
            target(PointSpace(), {}, source)  # type: ignore[operator]
        with pytest.raises(DataError, match="it is no folder here"):
            target(space_of(), {}, "no/such-model")  # type: ignore[operator]
        with pytest.raises(DataError, match=f"reads {POSITIONS} tokens at most"):
            target(TokenSpace(adopted(source), POSITIONS + 1), {}, source)  # type: ignore[operator]
    with pytest.raises(DataError, match="not those of the pretrained model"):
        CausalLMGenerator(space_of(), {}, sources["gpt2"])
    with pytest.raises(ValueError, match="lora_rank is -1"):
        generator(sources["gpt2"], lora_rank=-1)


def test_a_language_model_contends_with_an_encoder(sources: dict[str, str], tmp_path: Path) -> None:
    """A whole run: imitation, then the critic, by recipe; its folder alone is enough to write sentences."""
    stage = {"steps": 2, "batch": 8}
    recipe: dict[str, Any] = {
        "schema": 1,
        "name": "language-model",
        "summary": "a tiny language model against a tiny encoder",
        "needs": ["text"],
        "data": {"use": "given"},
        "networks": {
            "generator": {"use": "text/causal-lm", "pretrained": sources["gpt2"], "lora_rank": 2},
            "discriminator": {"use": "text/pretrained-encoder", "pretrained": sources["bert"], "features": 8},
        },
        "stages": [
            {"name": "imitate", "objective": {"use": "likelihood"}, **stage, "optimizers": {"generator": OPTIMIZER}},
            {
                "name": "contend",
                "objective": {"use": "adversarial", "loss": "relativistic"},
                **stage,
                "optimizers": {"generator": OPTIMIZER, "discriminator": OPTIMIZER},
                "ema": {"generator": 0.9},
            },
        ],
        "checkpoint": {"every": 2},
    }
    result = sparring.train(recipe, data=data_of(space(sources["gpt2"])), out=tmp_path / "run")
    assert result.status == "finished"
    loaded = sparring.load(tmp_path / "run")
    assert len(loaded.space.preview(loaded.generate(5, seed=1).sample).splitlines()) == 5
    kept = checkpoint.read_weights(tmp_path / "run" / "final" / "generator.safetensors")
    assert all("lora_" in name or name.endswith("fingerprint") for name in kept)
    assert any("lora_B" in name and bool(value.any()) for name, value in kept.items())


OPTIMIZER = {"use": "adam", "lr": 1.0e-2}

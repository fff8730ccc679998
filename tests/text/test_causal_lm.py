"""A pretrained language model: it computes what it did, and LoRA leaves its weights as they were."""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import sparring
from sparring.errors import CheckpointError, DataError, PluginError
from sparring.recipes.schema import AdaptSpec
from sparring.spaces.point import PointSpace
from sparring.training import checkpoint
from sparring.transfer.adapt import FINGERPRINT, adapt
from sparring.transfer.libraries import import_transformers
from sparring_text.networks.causal_lm import CausalLMGenerator
from sparring_text.pretrained import load_causal_lm
from sparring_text.pretrained_tokens import adopted, their_numbers
from sparring_text.spaces import TokenSpace
from sparring_text.tokens import END, PADDING, START, UNKNOWN
from tests.text.corpora import SENTENCES, batch_of, data_of, space_of
from tests.text.pretrained_models import POSITIONS, source, write_gpt2

LENGTH = 14
every_lm = pytest.mark.parametrize("kind", ["gpt2", "llama"])


def space(kind: str) -> TokenSpace:
    return TokenSpace(adopted(source(kind)), LENGTH)


def generator(kind: str, *, rank: int = 0, **options: Any) -> CausalLMGenerator:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = CausalLMGenerator(space(kind), **{"conditions": {}, "pretrained": source(kind), **options})
        return adapted(network, rank) if rank else network


def adapted(network: CausalLMGenerator, rank: int = 2) -> CausalLMGenerator:
    adapt(network, AdaptSpec(use="lora", rank=rank), "generator", where="networks.generator.adapt")
    return network


@every_lm
@pytest.mark.parametrize("rank", [0, 2])
def test_likelihoods_are_those_of_the_model(kind: str, rank: int) -> None:
    """At first LoRA adds nothing. Of the model's own tokens, those that we never write are left out of its softmax."""
    network, batch = generator(kind, rank=rank).eval(), batch_of(space(kind), SENTENCES[:9])
    model = load_causal_lm(source(kind)).eval()
    numbers, _ = their_numbers(space(kind), source(kind))
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
def test_what_is_cached_is_what_reading_everything_again_gives(kind: str) -> None:
    network, tokens = generator(kind).eval(), batch_of(space(kind), SENTENCES[:5]).sample
    with torch.no_grad():
        embedded = network.embeddings()[tokens]
        state = network.begin(5)
        for place in range(LENGTH):
            cached, state = network.step(embedded[:, place], state)
            assert len(state) == 4
            assert all(part.shape[0] == 5 and part.shape[2] == place + 1 for part in state)
            again = network.read(embedded[:, : place + 1])[:, -1]
            torch.testing.assert_close(cached, again, atol=1e-4, rtol=1e-4)


def test_unknown_words_are_never_written_by_a_model_that_has_none() -> None:
    for kind, writes in (("gpt2", False), ("llama", True)):
        network = generator(kind).eval()
        assert (network.never[UNKNOWN] == 0) == writes
        with torch.no_grad():
            made = network.sample(200, {}, rng=torch.Generator().manual_seed(0)).sample
        assert not (made == START).any()
        assert writes or not (made == UNKNOWN).any()
        assert (made == END).any()


def test_a_smaller_vocabulary_trains_the_same_model() -> None:
    some = SENTENCES[:10]
    small = TokenSpace(adopted(source("gpt2"), some), LENGTH)
    network = CausalLMGenerator(small, {}, source("gpt2")).eval()
    made = network.relax(3, {}, temperature=1.0, rng=torch.Generator().manual_seed(0)).sample
    assert made.shape == (3, LENGTH, small.vocabulary)
    batch = batch_of(small, some)
    with torch.no_grad():
        fewer = network.log_prob(batch.sample, {}, batch.lengths)
        whole = batch_of(space("gpt2"), some)
        more = generator("gpt2").eval().log_prob(whole.sample, {}, whole.lengths)
    # The same tokens, with fewer others to choose from.
    assert (fewer >= more - 1e-5).all()


def trained(network: CausalLMGenerator, kind: str) -> None:
    """Take a step of gradient descent on sentences."""
    batch = batch_of(space(kind), SENTENCES[:9])
    parameters = [value for value in network.parameters() if value.requires_grad]
    (-network.log_prob(batch.sample, {}, batch.lengths).sum()).backward()
    torch.optim.SGD(parameters, lr=0.1).step()


@every_lm
def test_lora_trains_its_matrices_alone(kind: str, tmp_path: Path) -> None:
    network = generator(kind, rank=2)
    base = load_causal_lm(source(kind))
    trained(network, kind)
    trained(network, kind)  # the first step cannot move the inner matrices: the outer ones are 0
    state = network.state_dict()
    assert all("lora_" in name or name == FINGERPRINT for name in state)
    assert sum("lora_B" in name and bool(value.any()) for name, value in state.items()) > 3
    kept = {name.replace("base_layer.", ""): value for name, value in network.model.named_parameters()}
    for name, value in base.named_parameters():
        assert torch.equal(kept[name], value), name
    # What a checkpoint holds is enough to go on, beside the same pretrained weights.
    file = tmp_path / "generator.safetensors"
    checkpoint.write_weights(network, file)
    assert file.stat().st_size < sum(value.numel() * 4 for value in base.parameters())
    again = generator(kind, rank=2)
    checkpoint.load_weights(again, file, role="generator")
    batch = batch_of(space(kind), SENTENCES[:9])
    with torch.no_grad():
        one, other = (each.eval().log_prob(batch.sample, {}, batch.lengths) for each in (network, again))
    assert torch.equal(one, other)


def test_a_copy_of_lora_stands_alone() -> None:
    """A moving average is a copy: its matrices are those that its own model uses."""
    network = generator("gpt2", rank=2)
    trained(network, "gpt2")
    other, batch = copy.deepcopy(network).eval(), batch_of(space("gpt2"), SENTENCES[:3])
    with torch.no_grad():
        before = network.eval().log_prob(batch.sample, {})
        assert torch.equal(other.log_prob(batch.sample, {}), before)
        for value in other.parameters():
            value.add_(1.0)
        assert not torch.equal(other.log_prob(batch.sample, {}), before)
        assert torch.equal(network.log_prob(batch.sample, {}), before)


def test_lora_beside_other_weights_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other"
    write_gpt2(other)
    model = load_causal_lm(str(other))
    with torch.no_grad():
        model.transformer.wte.weight.add_(0.1)
    model.save_pretrained(other)
    file = tmp_path / "generator.safetensors"
    checkpoint.write_weights(generator("gpt2", rank=2), file)
    with pytest.raises(CheckpointError, match="learnt beside weights of SHA-256"):
        checkpoint.load_weights(adapted(CausalLMGenerator(space("gpt2"), {}, str(other))), file, role="generator")


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(PluginError, match="LoRA needs the library peft") as caught:
        generator("gpt2", rank=2)
    assert "sparring[lora]" in caught.value.remedy
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(PluginError, match="need the library transformers"):
        generator("gpt2")


def test_a_gguf_file_is_read_from_its_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def read(place: str, *, gguf_file: str, **options: object) -> None:
        asked.append((place, gguf_file))

    monkeypatch.setattr(import_transformers().AutoModelForCausalLM, "from_pretrained", read)
    load_causal_lm("models/small.Q4_1.gguf")
    assert asked == [("models", "small.Q4_1.gguf")]


def test_torchaudio_that_cannot_be_loaded_is_no_hindrance() -> None:
    """The library imports it for any model; every test here fails where that goes wrong. It stays importable."""
    assert import_transformers().GPT2LMHeadModel


def test_mistakes_are_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match="text/causal-lm works on text"):
        CausalLMGenerator(PointSpace(), {}, source("gpt2"))
    with pytest.raises(DataError, match="it is no folder here"):
        CausalLMGenerator(space_of(), {}, "no/such-model")
    with pytest.raises(DataError, match=f"reads {POSITIONS} tokens at most"):
        CausalLMGenerator(TokenSpace(adopted(source("gpt2")), POSITIONS + 1), {}, source("gpt2"))
    with pytest.raises(DataError, match="not those of the pretrained model"):
        CausalLMGenerator(space_of(), {}, source("gpt2"))
    damaged = write_gpt2(tmp_path / "damaged")
    file = tmp_path / "damaged" / "model.safetensors"
    for content in (b"", b"no weights", file.read_bytes()[:500], None):
        file.unlink() if content is None else file.write_bytes(content)
        with pytest.raises(DataError, match="has no model that can be read") as caught:
            CausalLMGenerator(space("gpt2"), {}, damaged)
        assert caught.value.where == damaged


def test_a_language_model_contends_with_an_encoder(tmp_path: Path) -> None:
    """A whole run: imitation, then the critic, by recipe; its folder alone is enough to write sentences."""
    stage = {"steps": 2, "batch": 8}
    recipe: dict[str, Any] = {
        "schema": 1,
        "name": "language-model",
        "summary": "a tiny language model against a tiny encoder",
        "needs": ["text"],
        "data": {"use": "given"},
        "networks": {
            "generator": {"use": "text/causal-lm", "pretrained": source("gpt2"), "adapt": {"use": "lora", "rank": 2}},
            "discriminator": {"use": "text/pretrained-encoder", "pretrained": source("bert"), "features": 8},
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
    result = sparring.train(recipe, data=data_of(space("gpt2")), out=tmp_path / "run")
    assert result.status == "finished"
    loaded = sparring.load(tmp_path / "run")
    assert len(loaded.space.preview(loaded.generate(5, seed=1).sample).splitlines()) == 5
    last = checkpoint.listed(tmp_path / "run")[-1]
    kept = checkpoint.read_weights(last / "generator.safetensors")
    assert all("lora_" in name or name == FINGERPRINT for name in kept)
    assert any("lora_B" in name and bool(value.any()) for name, value in kept.items())
    # What is final is a whole model.
    final = checkpoint.read_weights(tmp_path / "run" / "final" / "generator.safetensors")
    assert final.keys() == generator("gpt2").state_dict().keys()


OPTIMIZER = {"use": "adam", "lr": 1.0e-2}

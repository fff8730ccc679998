"""Every component of the plugin keeps its interface's promises."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from sparring.interfaces.data import Batch
from sparring.interfaces.generator import SequenceGenerator
from sparring.interfaces.space import Space
from sparring.spaces.label import LabelSpace
from sparring.testing import (
    DataContract,
    DiscriminatorContract,
    EncoderContract,
    MetricContract,
    RewardContract,
    SequenceGeneratorContract,
    SpaceContract,
    contracts_in,
    covers,
)
from sparring_text import plugin
from sparring_text.data.grammar import Grammar
from sparring_text.data.oracle import Oracle
from sparring_text.networks.lstm import LSTMGenerator
from sparring_text.pretrained_tokens import adopted
from sparring_text.spaces import TokenSpace
from tests.text import fetched
from tests.text.corpora import SENTENCES, batch_of, data_of, everything, lstm, small, space_of, write, write_dataset
from tests.text.pretrained import causal_model, sentence_encoder, static_embeddings
from tests.text.pretrained_models import write_bert, write_gpt2

torch.set_num_threads(1)

FILES = TemporaryDirectory()  # removed when the process ends
FILE = write(Path(FILES.name) / "sentences.txt")
GPT2, BERT = write_gpt2(Path(FILES.name) / "gpt2"), write_bert(Path(FILES.name) / "bert")
TABLE = write(
    Path(FILES.name) / "table.csv",
    ["text,mark", *(f'"{text}",{"called" if text.endswith("!") else "said"}' for text in SENTENCES)],
)
DATASET = write_dataset(Path(FILES.name))
DATA = small(FILE, held_out=0.2)
TOKENS = DATA.space
assert isinstance(TOKENS, TokenSpace)
ORACLE = Oracle(vocabulary=40, length=6, count=300, held_out_count=100)
LABELLED = {"label": LabelSpace(["one", "two", "three"])}


class TestLines(DataContract):
    plugin, name = plugin, "text/lines"
    options: Mapping[str, Any] = {"path": str(FILE), "length": 12, "minimum_count": 1}


class TestLinesAsWordPieces(DataContract):
    plugin, name = plugin, "text/lines"
    options: Mapping[str, Any] = {**TestLines.options, "tokens": "bpe", "vocabulary": 80, "length": 30}


class TestWordNetExamples(DataContract):
    """Built once for most checks: reading 32,000 sentences takes a second."""

    plugin, name = plugin, "text/wordnet-examples"
    options: Mapping[str, Any] = {"vocabulary": 500, "length": 8}
    built: ClassVar[list[Any]] = []

    def build(self, *, seed: int = 0, **available: Any) -> Any:
        self.registry.plugin("text")
        if seed or not self.built:
            self.built.append(super().build(seed=seed, **available))
        return self.built[-1]


class TestTable(DataContract):
    plugin, name = plugin, "text/table"
    options: Mapping[str, Any] = {"path": str(TABLE), "label": "mark", "length": 12, "minimum_count": 1}


class TestHuggingFace(DataContract):
    plugin, name = plugin, "text/hugging-face"
    options: Mapping[str, Any] = {"dataset": str(DATASET), "label": "mark", "length": 12, "minimum_count": 1}


class TestBrown(DataContract):
    plugin, name = plugin, "text/brown"
    options: Mapping[str, Any] = {"path": str(fetched.brown(Path(FILES.name))), "length": 12}


class TestBible(DataContract):
    plugin, name = plugin, "text/bible"
    options: Mapping[str, Any] = {"path": str(fetched.bible(Path(FILES.name))), "length": 12}


class TestFortunes(DataContract):
    plugin, name = plugin, "text/fortunes"
    options: Mapping[str, Any] = {"path": str(fetched.fortunes(Path(FILES.name))), "length": 12}


class TestOracle(DataContract):
    plugin, name = plugin, "text/oracle"
    options: Mapping[str, Any] = {"vocabulary": 100, "length": 12, "count": 200, "held_out_count": 50}


class TestGrammar(DataContract):
    plugin, name = plugin, "text/grammar"
    options: Mapping[str, Any] = {"count": 400}


class TestTokenSpace(SpaceContract):
    plugin, name = plugin, "text/tokens"
    options: Mapping[str, Any] = space_of().options()

    def samples(self, space: Any, rows: int = 5) -> Tensor:
        return batch_of(space, SENTENCES[:rows]).sample


class TestWordPieceSpace(TestTokenSpace):
    options: Mapping[str, Any] = space_of(kind="bpe", length=40).options()


class TestFixedLengthSpace(SpaceContract):
    plugin, name = plugin, "text/tokens"
    options: Mapping[str, Any] = ORACLE.space.options()

    def samples(self, space: Any, rows: int = 5) -> Tensor:
        return everything(ORACLE).sample[:rows]


class TestLSTM(SequenceGeneratorContract):
    plugin, name, data = plugin, "text/lstm", DATA
    options: Mapping[str, Any] = {"width": 16, "embedding_dim": 8}


class TestSoftLSTM(SequenceGeneratorContract):
    plugin, name, data = plugin, "text/lstm", DATA
    options: Mapping[str, Any] = {**TestLSTM.options, "relaxation": "soft", "feedback": "soft", "tied": False}


class TestDeepLSTM(SequenceGeneratorContract):
    plugin, name, data = plugin, "text/lstm", DATA
    options: Mapping[str, Any] = {**TestLSTM.options, "layers": 2, "dropout": 0.2}


class TestLSTMOfFixedLength(SequenceGeneratorContract):
    plugin, name, data = plugin, "text/lstm", ORACLE
    options: Mapping[str, Any] = TestLSTM.options


class TestLabelledLSTM(TestLSTM):
    conditions: Mapping[str, Space] | None = LABELLED


class TestRelationalMemory(SequenceGeneratorContract):
    plugin, name, data = plugin, "text/relational-memory", DATA
    options: Mapping[str, Any] = {"slots": 2, "heads": 2, "head_size": 8, "embedding_dim": 8}


class TestLabelledRelationalMemory(TestRelationalMemory):
    options: Mapping[str, Any] = {**TestRelationalMemory.options, "tied": True, "relaxation": "straight-through"}
    conditions: Mapping[str, Space] | None = LABELLED


class TestTransformer(SequenceGeneratorContract):
    plugin, name, data = plugin, "text/transformer", DATA
    options: Mapping[str, Any] = {"width": 16, "heads": 2}


class TestLabelledTransformer(TestTransformer):
    options: Mapping[str, Any] = {**TestTransformer.options, "dropout": 0.1, "feedback": "soft"}
    conditions: Mapping[str, Space] | None = LABELLED


class TestCausalLM(SequenceGeneratorContract):
    plugin, name, data = plugin, "text/causal-lm", data_of(TokenSpace(adopted(GPT2), 16))
    options: Mapping[str, Any] = {"pretrained": GPT2}


class TestLabelledCausalLM(TestCausalLM):
    options: Mapping[str, Any] = {"pretrained": GPT2, "relaxation": "soft"}
    conditions: Mapping[str, Space] | None = LABELLED


class OneHotRows(DiscriminatorContract):
    """On one-hot rows, as the adversarial objective hands them over."""

    def inputs(self, module: Any, rows: int, *, seed: int = 0) -> Batch:
        batch = super().inputs(module, rows, seed=seed)
        assert isinstance(self.materials.space, TokenSpace)
        return Batch(one_hot(batch.sample, self.materials.space.vocabulary).float(), batch.condition, batch.lengths)


class TestCNN(OneHotRows):
    plugin, name, data = plugin, "text/cnn", DATA
    options: Mapping[str, Any] = {"embedding_dim": 8, "filters": 8, "dropout": 0.1}


class TestCNNOfSeveralRepresentations(TestCNN):
    options: Mapping[str, Any] = {**TestCNN.options, "representations": 4}
    conditions: Mapping[str, Space] | None = LABELLED


class TestTokenLSTM(OneHotRows):
    plugin, name, data = plugin, "text/token-lstm", DATA
    options: Mapping[str, Any] = {"width": 16, "embedding_dim": 8, "layers": 2, "dropout": 0.1}


class TestLabelledTokenLSTM(TestTokenLSTM):
    conditions: Mapping[str, Space] | None = LABELLED


class TestTokenTransformer(OneHotRows):
    plugin, name, data = plugin, "text/token-transformer", DATA
    options: Mapping[str, Any] = {"width": 16, "heads": 2, "dropout": 0.1}


class TestLabelledTokenTransformer(TestTokenTransformer):
    conditions: Mapping[str, Space] | None = LABELLED


class TestPretrainedEncoder(OneHotRows):
    plugin, name, data = plugin, "text/pretrained-encoder", data_of(TokenSpace(adopted(BERT), 20))
    options: Mapping[str, Any] = {"pretrained": BERT, "features": 16}
    conditions: Mapping[str, Space] | None = LABELLED


class TestTrainedEncoder(TestPretrainedEncoder):
    options: Mapping[str, Any] = {**TestPretrainedEncoder.options, "frozen": False}
    conditions: Mapping[str, Space] | None = None


class TestBLEU(MetricContract):
    plugin, name, data = plugin, "text/bleu", DATA


class TestBLEUReward(RewardContract):
    plugin, name, data = plugin, "text/bleu", DATA


class TestWordsReward(RewardContract):
    plugin, name, data = plugin, "text/words", DATA
    options: ClassVar[Mapping[str, Any]] = {"wanted": ["cat"], "unwanted": ["dog"]}


class TestPatternReward(RewardContract):
    plugin, name, data = plugin, "text/pattern", DATA
    options: ClassVar[Mapping[str, Any]] = {"pattern": "!$"}


class TestSelfBLEU(MetricContract):
    plugin, name, data = plugin, "text/self-bleu", DATA
    expected_failures: ClassVar[Mapping[str, str]] = {
        "test_real_samples_score_better_than_noise": "words at random are the least alike of all",
    }


class TestNGrams(MetricContract):
    plugin, name, data = plugin, "text/ngrams", DATA


class TestDistinct(MetricContract):
    plugin, name, data = plugin, "text/distinct", DATA
    expected_failures: ClassVar[Mapping[str, str]] = {
        "test_real_samples_score_better_than_noise": "words at random are the most varied of all",
    }


class TestPerplexity(MetricContract):
    plugin, name, data, rows = plugin, "text/perplexity", DATA, 64
    options: Mapping[str, Any] = {"model": causal_model()}


class TestReversePerplexity(MetricContract):
    plugin, name, data, rows = plugin, "text/reverse-perplexity", DATA, 64
    options: Mapping[str, Any] = {"steps": 20}


class TestLanguageModelEncoder(EncoderContract):
    plugin, name, data = plugin, "text/language-model", DATA
    options: Mapping[str, Any] = {"steps": 5}


class TestStaticEmbeddings(EncoderContract):
    plugin, name, data = plugin, "text/static-embeddings", DATA
    options: Mapping[str, Any] = {"path": static_embeddings()}


class TestSentenceEncoder(EncoderContract):
    plugin, name, data = plugin, "text/sentence-encoder", DATA
    options: Mapping[str, Any] = {"model": sentence_encoder()}


class TestParseRate(MetricContract):
    plugin, name, data = plugin, "text/parse-rate", Grammar(count=400)


class OracleMetricContract(MetricContract):
    """Metrics that look at the generator."""

    plugin, data, rows = plugin, ORACLE, 64

    def generator(self) -> SequenceGenerator:
        torch.manual_seed(0)
        return LSTMGenerator(ORACLE.space, {}, 8, 8)
        return lstm(ORACLE.space)


class TestOracleNLL(OracleMetricContract):
    name = "text/oracle-nll"


class TestTemperatureFrontier(OracleMetricContract):
    name = "text/temperature-frontier"
    options: Mapping[str, Any] = {"temperatures": [0.5, 1.0]}
    expected_failures: ClassVar[Mapping[str, str]] = {
        "test_real_samples_score_better_than_noise": "it draws the generator's samples itself",
    }


def test_every_component_is_under_contract() -> None:
    covers(plugin, *contracts_in(globals()))

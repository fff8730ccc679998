"""Small transformers in folders of their own, as a user would have large ones, and files of static embeddings."""

from __future__ import annotations

import tempfile
import warnings
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from sparring.transfer.libraries import import_transformers
from sparring_text.metrics.encoders import EMBEDDINGS, TOKENIZER
from tests.text.corpora import SENTENCES

FOLDER = tempfile.TemporaryDirectory()  # removed when the process ends
VOCABULARY, WIDTH = 80, 16


def tokenizer() -> Tokenizer:
    """Return byte-pair encoding of the tests' sentences; its tokens are not those of the plugin."""
    found = Tokenizer(models.BPE(unk_token="[UNK]"))
    found.pre_tokenizer = pre_tokenizers.Whitespace()
    special = ["[UNK]", "[CLS]", "[SEP]", "[PAD]"]
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=special, show_progress=False)
    found.train_from_iterator(SENTENCES, trainer)
    return found


@cache
def sentence_encoder() -> str:
    """Save a tiny BERT of random weights, and return its folder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        transformers = import_transformers()

        torch.manual_seed(0)
        config = transformers.BertConfig(
            vocab_size=VOCABULARY,
            hidden_size=WIDTH,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=40,
        )
        folder = Path(FOLDER.name) / "tiny-bert"
        transformers.BertModel(config).save_pretrained(folder)
        transformers.PreTrainedTokenizerFast(
            tokenizer_object=tokenizer(), unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
        ).save_pretrained(folder)
    return str(folder)


@cache
def causal_model() -> str:
    """Train a tiny Llama on the tests' sentences for a moment, save it, and return its folder. It knows no padding."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        transformers = import_transformers()

        torch.manual_seed(0)
        config = transformers.LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=WIDTH,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=40,
            bos_token_id=1,
            eos_token_id=2,
        )
        network, words = transformers.LlamaForCausalLM(config), tokenizer()
        optimizer = torch.optim.Adam(network.parameters(), 1e-2)
        for step in range(60):
            rows = [[1, *words.encode(text).ids] for text in SENTENCES[step % 4 :: 4]]
            longest = max(map(len, rows))
            inputs = torch.tensor([row + [3] * (longest - len(row)) for row in rows])
            loss = network(input_ids=inputs, labels=inputs.masked_fill(inputs == 3, -100)).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        folder = Path(FOLDER.name) / "tiny-llama"
        network.save_pretrained(folder)
        transformers.PreTrainedTokenizerFast(
            tokenizer_object=words, unk_token="[UNK]", bos_token="[CLS]", eos_token="[SEP]"
        ).save_pretrained(folder)
    return str(folder)


@cache
def static_embeddings() -> str:
    """Write embeddings as the package wordllama lays them out, and return the folder."""
    folder = Path(FOLDER.name) / "static"
    for file in (folder / EMBEDDINGS, folder / TOKENIZER):
        file.parent.mkdir(parents=True, exist_ok=True)
    tokenizer().save(str(folder / TOKENIZER))
    rng = torch.Generator().manual_seed(0)
    save_file({"embedding.weight": torch.randn(VOCABULARY, WIDTH, generator=rng).half()}, folder / EMBEDDINGS)
    return str(folder)

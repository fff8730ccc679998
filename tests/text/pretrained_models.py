"""Tiny models of well-known kinds, with random weights and tokenizers of their kind, in folders as the hub has them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from sparring.transfer.libraries import import_transformers
from sparring_text.spaces import TokenSpace
from tests.text.corpora import SENTENCES

WIDTH, POSITIONS = 16, 48
GPT2 = {
    "n_embd": WIDTH,
    "n_layer": 2,
    "n_head": 2,
    "n_positions": POSITIONS,
    "resid_pdrop": 0.0,
    "embd_pdrop": 0.0,
    "attn_pdrop": 0.0,
}
LLAMA = {
    "hidden_size": WIDTH,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": POSITIONS,
}


FILES = TemporaryDirectory()  # removed when the process ends


@cache
def source(kind: str) -> str:
    """Return the folder of a model that every test of a process shares: gpt2, llama, bert or unigram."""
    writers = {"gpt2": write_gpt2, "llama": write_llama, "bert": write_bert, "unigram": write_unigram_tokenizer}
    return writers[kind](Path(FILES.name) / kind)


def write_gpt2(folder: Path) -> str:
    """Write a GPT-2: byte-level pairs, and one special token in the place of all."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        SENTENCES,
        trainers.BpeTrainer(
            vocab_size=330,
            special_tokens=["<|endoftext|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    end = "<|endoftext|>"
    return _written(
        folder,
        tokenizer,
        {"bos_token": end, "eos_token": end, "unk_token": end},
        "GPT2",
        GPT2,
    )


def write_llama(folder: Path) -> str:
    """Write a Llama: pairs of characters, bytes where a character is unknown, a start, and untied scores."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    special = ["<unk>", "<s>", "</s>"]
    every_byte = [f"<0x{number:02X}>" for number in range(256)]
    tokenizer.train_from_iterator(
        [f"▁{line.replace(' ', '▁')}" for line in SENTENCES],
        trainers.BpeTrainer(vocab_size=360, special_tokens=[*special, *every_byte], show_progress=False),
    )
    described = json.loads(tokenizer.to_str())
    described["added_tokens"] = described["added_tokens"][: len(special)]
    return _written(
        folder,
        Tokenizer.from_str(json.dumps(described)),
        {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"},
        "Llama",
        LLAMA,
    )


def write_bert(folder: Path) -> str:
    """Write a BERT: pieces of words, and a token for each special purpose."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    tokenizer.train_from_iterator(
        SENTENCES,
        trainers.WordPieceTrainer(vocab_size=90, special_tokens=[*special.values(), "[MASK]"], show_progress=False),
    )
    tokenizer.enable_padding(length=32)  # as tokenizers of sentence encoders have it
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(text, tokenizer.token_to_id(text)) for text in ("[CLS]", "[SEP]")]
    )
    return _written(
        folder,
        tokenizer,
        {**special, "mask_token": "[MASK]"},
        "Bert",
        {
            "hidden_size": WIDTH,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "max_position_embeddings": POSITIONS,
        },
    )


def write_model_of(space: TokenSpace, folder: Path, kind: str = "GPT2") -> str:
    """Write a model whose tokens are those of a space of ours."""
    special = {"pad_token": "<padding>", "bos_token": "<start>", "eos_token": "<end>", "unk_token": "<unknown>"}
    return _written(folder, Tokenizer.from_str(space.tokenizer), special, kind, {"GPT2": GPT2, "Llama": LLAMA}[kind])


def write_unigram_tokenizer(folder: Path) -> str:
    """Write a tokenizer that weighs pieces, as ALBERT and XLNet have it, without a model."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    special = {"pad_token": "<pad>", "unk_token": "<unk>", "eos_token": "</s>"}
    tokenizer.train_from_iterator(
        SENTENCES,
        trainers.UnigramTrainer(
            vocab_size=100, special_tokens=list(special.values()), unk_token="<unk>", show_progress=False
        ),
    )
    import_transformers().PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    return str(folder)


def _written(folder: Path, tokenizer: Tokenizer, special: dict[str, str], kind: str, sizes: dict[str, Any]) -> str:
    transformers = import_transformers()
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)
    fast.save_pretrained(folder)
    numbers = {f"{name}_id": fast.convert_tokens_to_ids(text) for name, text in special.items() if name[:3] in ID_KINDS}
    config = getattr(transformers, f"{kind}Config")(vocab_size=len(fast), **sizes, **numbers)
    whole = {"GPT2": "GPT2LMHeadModel", "Llama": "LlamaForCausalLM", "Bert": "BertModel"}[kind]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = getattr(transformers, whole)(config)
    with torch.no_grad():
        for value in model.parameters():
            if value.dim() > 1:
                value.mul_(10)  # of 0.02: large enough for its choices to differ
    model.save_pretrained(folder)
    return str(folder)


ID_KINDS = ("bos", "eos", "pad")

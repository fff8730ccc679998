"""The tokens of a pretrained model as a space of ours.

A pretrained model knows the tokens of its own tokenizer. Data that one is to write take that tokenizer, with our four
special tokens in front (``adopted``), and a network finds each token of the space in the model's vocabulary by its text
(``their_numbers``). So padding, start and end are ours everywhere else. A model that only reads can also be shown
tokens of another kind, each cut into pieces that it knows (``their_pieces``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from sparring.errors import DataError
from sparring_text.pretrained import load_tokenizer
from sparring_text.spaces import TokenSpace
from sparring_text.tokens import END, PADDING, SPECIAL, START, UNKNOWN, prepared

IMPOSSIBLE = -1e4  # the log-probability of a special token as a piece of text, for tokenizers that weigh pieces


def their_numbers(space: TokenSpace, source: str) -> tuple[Tensor, bool]:
    """Find the tokens of a space in a pretrained model's vocabulary.

    Args:
        space: The space, of which the model must have every token.
        source: The model's folder, or its name on the hub.

    Returns:
        Its number of each of our tokens ``(V,)``, and whether it has a token of its own for unknown words.

    Raises:
        DataError: It lacks tokens of the space.
    """
    tokenizer = load_tokenizer(source)
    theirs = tokenizer.get_vocab()
    special, texts = _special(tokenizer, source), _texts(space)
    lacking = [text for text in texts if text not in theirs]
    if lacking:
        raise DataError(
            f"the data's tokens are not those of the pretrained model: it has no '{lacking[0]}', nor "
            f"{len(lacking) - 1} others of {space.vocabulary}",
            where=source,
            remedy="use data whose tokens are those of the same model",
        )
    numbers = torch.tensor([theirs[text] for text in (*special, *texts)])
    knows = special[UNKNOWN] not in (special[PADDING], special[START], special[END])
    return numbers, knows


def their_pieces(space: TokenSpace, source: str) -> list[list[int]]:
    """Return a pretrained model's numbers of what each of our tokens is to it, at least one.

    Where the model has every token of the space, each is one of its own. Otherwise each is cut by the model's
    tokenizer, as a text by itself: most words are one piece, rare ones several.

    Args:
        space: The space.
        source: The model's folder, or its name on the hub.
    """
    tokenizer = load_tokenizer(source)
    theirs, special = (
        tokenizer.get_vocab(),
        [[tokenizer.convert_tokens_to_ids(one)] for one in _special(tokenizer, source)],
    )
    texts = _texts(space)
    if all(text in theirs for text in texts):
        return special + [[theirs[text]] for text in texts]
    cut = prepared(tokenizer.backend_tokenizer)
    cut.no_padding()  # some tokenizers come with it, to a fixed length
    cut.no_truncation()
    # A piece that goes on with a word, as BERT writes it, is read without its sign.
    written = [space.decode(torch.tensor([len(SPECIAL) + index])).removeprefix("##") for index in range(len(texts))]
    found = cut.encode_batch(written, add_special_tokens=False)
    return special + [pieces.ids or special[UNKNOWN] for pieces in found]


def _texts(space: TokenSpace) -> list[str]:
    return [space.token(number) for number in range(len(SPECIAL), space.vocabulary)]


def adopted(source: str, lines: Sequence[str] | None = None) -> str:
    """Return a pretrained model's tokenizer as ``TokenSpace`` takes it, with our special tokens and without its own.

    Args:
        source: The model's folder, or its name on the hub.
        lines: Text of which the tokens are kept, and what they are made of; without it, all tokens. A large vocabulary
            is costly where rows over it are relaxed. These lines are cut into the same tokens either way; rare words
            of others may be cut into smaller pieces.

    Raises:
        DataError: There is no such tokenizer, or it is of a kind that is not known here.
    """
    tokenizer = load_tokenizer(source)
    described = json.loads(tokenizer.backend_tokenizer.to_str())
    model = described["model"]
    special = {token["content"] for token in described["added_tokens"]} | {*SPECIAL, *_special(tokenizer, source)}
    described |= {"added_tokens": _our_tokens(), "post_processor": None, "truncation": None, "padding": None}
    _renumber(model, special, None, source)
    if lines is not None:
        everything = TokenSpace(json.dumps(described), 2)
        used = {everything.token(number) for row in everything.encode_lines(lines) for number in row}
        _renumber(model, special, used, source)
    return json.dumps(described, ensure_ascii=False)


def _renumber(model: dict[str, Any], special: set[str], used: set[str] | None, source: str) -> None:
    """Put our special tokens in front of a tokenizer model's own ones, leave out ``special``, and what is not used."""
    kind, vocabulary = model["type"], model["vocab"]
    if kind not in ("BPE", "WordPiece", "WordLevel", "Unigram"):
        raise DataError(f"a tokenizer of the kind {kind} cannot be adopted", where=source, remedy="use another model")
    weights: Mapping[str, float] = dict(vocabulary) if kind == "Unigram" else {}
    texts = list(weights) if weights else sorted(vocabulary, key=vocabulary.__getitem__)
    merges = [tuple(merge.split(" ")) if isinstance(merge, str) else tuple(merge) for merge in model.get("merges", ())]
    kept = set(texts) if used is None else _parts(used, texts, merges, model.get("continuing_subword_prefix") or "")
    texts = [text for text in texts if text in kept and text not in special]
    if kind == "Unigram":
        pieces = [(text, IMPOSSIBLE) for text in SPECIAL] + [(text, weights[text]) for text in texts]
        model |= {"vocab": pieces, "unk_id": UNKNOWN}
        return
    model["vocab"] = {text: number for number, text in enumerate((*SPECIAL, *texts))}
    if merges:
        model["merges"] = [merge for merge in merges if {*merge, "".join(merge)} <= model["vocab"].keys()]
    if model.get("unk_token") is not None:
        model["unk_token"] = SPECIAL[UNKNOWN]


def _parts(used: set[str], texts: Iterable[str], merges: Sequence[tuple[str, ...]], prefix: str) -> set[str]:
    """Return used tokens, all that they are merged from, and single signs, so that any text can still be cut."""
    merged = {"".join(merge) for merge in merges}
    single = {text for text in texts if len(text.removeprefix(prefix)) == 1 or (merges and text not in merged)}
    kept = used | single
    sources: dict[str, list[tuple[str, ...]]] = {}
    for merge in merges:
        sources.setdefault("".join(merge), []).append(merge)
    open_ones = list(used)
    while open_ones:
        found = {part for merge in sources.get(open_ones.pop(), ()) for part in merge} - kept
        kept |= found
        open_ones += found
    return kept


def _our_tokens() -> list[dict[str, Any]]:
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return [{"id": number, "content": text, **plain} for number, text in enumerate(SPECIAL)]


def _special(tokenizer: Any, source: str) -> tuple[str, str, str, str]:
    """Return what a model has in the place of our special tokens, in their order."""
    end = tokenizer.eos_token or tokenizer.sep_token
    if end is None:
        raise DataError("the model has no token that ends a text", where=source, remedy="use another model")
    start = tokenizer.bos_token or tokenizer.cls_token or end
    return tokenizer.pad_token or end, start, end, tokenizer.unk_token or end

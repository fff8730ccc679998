"""Arithmetic expressions of a small grammar: text of which one can say exactly whether it is right.

Kusner and Hernández-Lobato 2016, "GANS for Sequences of Discrete Elements with the Gumbel-softmax Distribution",
arXiv:1611.04051; with the two names and the brackets of the version in Texygen (Zhu et al. 2018, arXiv:1802.01886):

    S -> S + V | S - V | S * V | S / V | V | ( S )        V -> x | y
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from sparring.errors import DataError
from sparring_text.data.corpus import Corpus

NAMES = ("x", "y")
OPERATORS = ("+", "-", "*", "/")
OPENING, CLOSING = "(", ")"
SYMBOLS = (*NAMES, *OPERATORS, OPENING, CLOSING)


class Grammar(Corpus):
    """Expressions such as ``( x + y ) * x``, drawn at random; every symbol is a token. For ``text/parse-rate``.

    How often a rule is applied, which decides the length, is drawn evenly among what fits; which rule, evenly among
    the four operators and the brackets. On the right of an operator there is always a single name: so the grammar
    wants it. Expressions that are drawn several times are held out with all their copies.

    Args:
        length: Positions of a sequence in tokens, the end among them.
        count: Expressions that are drawn, held-out ones included.
        held_out: The share of the split ``test``, in [0, 1).
        seed: Which expressions, and which of them are held out.
    """

    def __init__(self, length: int = 16, count: int = 10_000, held_out: float = 0.1, seed: int = 0) -> None:
        super().__init__(
            expressions(count, length - 1, seed),
            where="text/grammar",
            length=length,
            kind="word",
            size=100,  # there are twelve tokens, the special ones included
            minimum_count=1,
            lowercase=False,
            too_long="skip",
            unknown="keep",
            held_out=held_out,
            seed=seed,
        )


def expressions(count: int, longest: int, seed: int = 0) -> list[str]:
    """Draw expressions of at most so many symbols, which spaces part."""
    if longest < 3:
        raise DataError(
            f"an expression of {longest} symbols has no operator", where="data.length", remedy="give at least 4"
        )
    rng = random.Random(seed)
    return [" ".join(_expression(rng.randint(0, (longest - 1) // 2), rng)) for _ in range(count)]


def parses(symbols: Sequence[str]) -> bool:
    """Whether symbols are an expression of the grammar.

    The last symbol says which rule was applied last, so that nothing has to be tried twice: a closing bracket belongs
    to the first symbol, and a name to the operator before it.
    """
    first, last = 0, len(symbols) - 1
    while first < last:
        if symbols[last] == CLOSING and symbols[first] == OPENING:
            first, last = first + 1, last - 1
        elif symbols[last] in NAMES and symbols[last - 1] in OPERATORS:
            last -= 2
        else:
            return False
    return first == last and symbols[first] in NAMES


def _expression(rules: int, rng: random.Random) -> list[str]:
    found = [rng.choice(NAMES)]
    for _ in range(rules):
        rule = rng.choice((*OPERATORS, OPENING))
        found = [OPENING, *found, CLOSING] if rule == OPENING else [*found, rule, rng.choice(NAMES)]
    return found

"""What a draw of samples may show to be wrong, what to try, and when a trouble begins and is over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from sparring.callbacks.critics import Reading
from sparring.callbacks.spread import Spread

CONFIRMED_BY = 2
"""Draws in a row that begin or end a trouble: a single one may be chance."""

SCATTERED = 3.0
"""Generated samples this many times as far apart as real ones: the generator has left the data."""

REPEATED = 0.3
"""Share of near-duplicates beyond that of the data; healthy runs stayed below 0.05, unregularised ones below 0.2."""

UNMOVED = 1e-4
"""Movement between two draws; converged generators at a learning rate of 1e-3 moved 100 times as far or more."""

AT_CHANCE = 0.05
"""Gap between the logits of real and generated samples below which a critic does not tell them apart."""


RETURN = "go on from a checkpoint before the collapse (`sparring resume DIR --from STEP --out NEW`)"


class Kind(NamedTuple):
    """One kind of trouble.

    Attributes:
        level: How serious it is.
        present: What is said while it lasts.
        over: What is said when it is over.
    """

    level: Literal["warning", "bad"]
    present: str
    over: str


KINDS = {
    "collapsed": Kind("bad", "the generated samples were too much alike", "the generated samples vary again"),
    "scattered": Kind("bad", "the generated samples lay far outside the data", "the samples are back near the data"),
    "saturated": Kind("warning", "the critic was saturated", "the critic is no longer saturated"),
    "blind": Kind("warning", "the critic did not see what was wrong", "the critic sees again, or need not"),
    "still": Kind("warning", "the generator did not move", "the generator moves again"),
}


CAUSES = ("saturated", "blind", "still", "scattered", "collapsed")
"""Causes before what they bring about: the first that lasts says what to try."""


class Finding(NamedTuple):
    """What one draw shows of one kind of trouble, and what to try."""

    text: str
    remedy: str


class Draw(NamedTuple):
    """What is known at one draw.

    Attributes:
        spread: The samples' spread relative to real ones'.
        moved: How far they moved since the last draw; None where that says nothing.
        tokens: Whether the samples are tokens.
        critics: What each critic's record shows.
        varied_before: Whether an earlier draw had not collapsed.
    """

    spread: Spread
    moved: float | None
    tokens: bool
    critics: Mapping[str, Reading]
    varied_before: bool


def find(draw: Draw, *, threshold: float, reach: float, generator: str) -> dict[str, Finding]:
    """Return the troubles that a draw shows, by kind."""
    found = {}
    if draw.spread.whole > SCATTERED:
        text = f"the generated samples lie {draw.spread.whole:.1f} times as far apart as real ones: outside the data"
        remedy = f"lower optimizers.{generator}.lr, clip its gradients, and see that the critic is trained at all"
        found["scattered"] = Finding(text, remedy)
    elif evidence := _alike(draw.spread, threshold, reach):
        state = "have collapsed" if draw.varied_before else "have not begun to vary"
        text = f"the generated samples {state}: {'; '.join(evidence)}"
        found["collapsed"] = Finding(text, _for_collapse(draw, generator))
    for critic, reading in draw.critics.items():
        if reading.saturated:
            found["saturated"] = Finding(
                f"the critic '{critic}' tells every sample apart (loss {reading.loss:.2g}, mean logits "
                f"{reading.real:.3g} for real and {reading.fake:.3g} for generated samples): it leaves the generator "
                "next to no gradient",
                f"lower optimizers.{critic}.lr or discriminator_steps, strengthen {{use: r1}}, or use a loss with "
                "gradients everywhere (relativistic, wasserstein with gradient-penalty)",
            )
        elif reading.gap < AT_CHANCE and ("collapsed" in found or "scattered" in found):
            rates = "rates generated samples above real ones" if reading.gap < -AT_CHANCE else "rates both alike"
            found["blind"] = Finding(
                f"the critic '{critic}' {rates} (mean logits {reading.real:.3g} for real, {reading.fake:.3g} for "
                "generated samples) although their spread differs: it does not see what is wrong",
                f"raise optimizers.{critic}.lr or discriminator_steps, weaken its penalty, or make it wider",
            )
    if draw.moved is not None and draw.moved < UNMOVED:
        found["still"] = Finding(
            "the generator does not move: the same latents give the same samples as in the draw before",
            f"see that optimizers.{generator}.lr is not too small and that its output is not saturated; a critic that "
            "is too sure of itself gives no gradient",
        )
    return found


def describe(spread: Spread) -> str:
    """Put a draw's figures into words."""
    parts = [f"the mean distance of generated samples is {spread.whole:.2f} of that of real ones"]
    if spread.within is not None:
        parts.append(f"{spread.within:.2f} within classes")
    if spread.reach is not None:
        parts.append(f"they reach {spread.reach:.0%} of the real samples that other real ones reach")
    parts.append(f"{spread.duplicates:.0%} are near-duplicates")
    return ", ".join(parts)


def _alike(spread: Spread, threshold: float, reach: float) -> list[str]:
    evidence = []
    if spread.whole < threshold:
        evidence.append(f"their mean distance is {spread.whole:.2g} of that of real ones")
    if spread.within is not None and spread.within < threshold:
        evidence.append(f"within a class their mean distance is {spread.within:.2g} of that of real ones")
    if spread.reach is not None and spread.reach < reach:
        evidence.append(f"they come near only {spread.reach:.0%} as many different real samples as other real ones do")
    if spread.duplicates > REPEATED:
        evidence.append(f"{spread.duplicates:.0%} more of them repeat another one than in the data")
    return evidence


def _for_collapse(draw: Draw, generator: str) -> str:
    if draw.tokens:
        return (
            f"lower optimizers.{generator}.lr in the adversarial stage, imitate for longer before it (a likelihood "
            "stage), raise the sampling temperature, or enlarge the batch"
        )
    winning = [critic for critic, reading in draw.critics.items() if reading.saturated or reading.winning]
    if winning:
        return (
            f"the critic wins: lower optimizers.{winning[0]}.lr or discriminator_steps and strengthen {{use: r1}} "
            f"first; then {RETURN}"
        )
    general = (
        f"lower optimizers.{generator}.lr, add or strengthen {{use: r1}}, raise discriminator_steps or the batch, or "
        "let the critic see several samples at once (minibatch deviation, packing)"
    )
    if not draw.varied_before:
        return f"check that the generator uses its latent; {general}"
    return f"{general}; then {RETURN}"


@dataclass
class Episode:
    """The course of one kind of trouble over the draws.

    Attributes:
        since: The first draw of the present episode, or of the last one.
        first: The first draw of the present row.
        seen: Draws in a row that showed it.
        clear: Draws in a row that did not.
        told: Whether it has been told and is not over.
        times: How often it has been told.
    """

    since: int = 0
    first: int = 0
    seen: int = 0
    clear: int = 0
    told: bool = False
    times: int = 0

    def observe(self, present: bool, step: int) -> Literal["started", "ended"] | None:
        """Take in one draw; say whether an episode starts or ends by it."""
        if not present:
            self.seen, self.clear = 0, self.clear + 1
            if not self.told or self.clear < CONFIRMED_BY:
                return None
            self.told = False
            return "ended"
        self.seen, self.clear = self.seen + 1, 0
        if self.told:
            return None
        if self.seen == 1:
            self.first = step
        if self.seen < CONFIRMED_BY:
            return None
        self.since = self.first
        self.told, self.times = True, self.times + 1
        return "started"

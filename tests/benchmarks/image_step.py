"""The cost of a step of `image/r3gan` and of `fast-fashion`, against the same networks and losses by hand.

Steps are interleaved, a few of each loop in turn; what is reported is the median over rounds of the ratio of times. On
a processor the clock is the processor's own time, to which other programs on the machine add little; on a GPU it is the
wall's. The pictures are scikit-learn's digits at 28x28, grey; the batch is 64.
"""

from __future__ import annotations

import argparse
import copy
import platform
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sparring.recipes import source
from tests.benchmarks import plain
from tests.benchmarks.step import OurLoop, Step, report, write_images

SIDE, START, STAGES = 28, 7, 3
R3GAN = {"latent_dim": 64, "width": 32, "blocks": 1}
FAST = "image/fast-fashion"


def main() -> None:
    """Measure, and print a table in Markdown for each kind of network."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks image_step", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=2, help="steps of each loop in a round")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--variants", action="store_true", help="also channels-last and bf16")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "images"
        write_images(images)
        for name, values in (("r3gan", r3gan_recipe()), ("fast", fast_recipe())):
            loops = contenders(values, images, Path(folder) / name, arguments)
            seconds = measure(loops, arguments)
            report(f"A step of {name}", seconds, "by hand")
            for loop, times in seconds.items():
                print(f"{loop}: {64 / sorted(times)[len(times) // 2]:.0f} images/s")
    threads = "1 thread" if arguments.device == "cpu" else torch.cuda.get_device_name()
    print(f"\n{platform.processor() or platform.machine()}, {threads}, torch {torch.__version__}")


def contenders(values: Mapping[str, Any], images: Path, out: Path, arguments: argparse.Namespace) -> dict[str, Step]:
    """Return ours and the hand-written loop, whose networks are checked to compute the same."""
    ours = OurImageLoop(values, images, out / "ours", device=arguments.device)
    generator, discriminator = by_hand(values)
    for mine, theirs in ((ours.initial["generator"], generator), (ours.initial["discriminator"], discriminator)):
        plain.copy_weights(mine, theirs)
        theirs.to(arguments.device)
    check_equal(ours.initial, generator, discriminator)
    pixels = ours.pixels().to(arguments.device)
    loops = {
        "by hand": plain.PlainLoop(generator, discriminator, pixels, settings_of(values)).step,
        "ours": ours.step,
    }
    if arguments.variants:
        for name, settings in {
            "ours, channels last": {"memory_format": "channels_last"},
            "ours, bf16": {"precision": "bf16"},
            "ours, channels last and bf16": {"memory_format": "channels_last", "precision": "bf16"},
        }.items():
            path = out / name.replace(" ", "-")
            loops[name] = OurImageLoop(values, images, path, device=arguments.device, **settings).step
    return loops


class OurImageLoop(OurLoop):
    """The framework's own step of a recipe, on the benchmark's pictures."""

    def __init__(self, values: Mapping[str, Any], images: Path, out: Path, **settings: str) -> None:
        data = {"use": "image/folder", "path": str(images), "height": SIDE, "width": SIDE, "channels": 1}
        self.enter({**values, **settings, "data": {**data, "labels": False}}, out)


def by_hand(values: Mapping[str, Any]) -> tuple[nn.Module, nn.Module]:
    """Return hand-written networks of a recipe's sizes."""
    options, critic = values["networks"]["generator"], values["networks"]["discriminator"]
    latent, width = options["latent_dim"], options["width"]
    if options["use"] == "image/r3gan":
        return (
            plain.PlainR3GANGenerator(latent, width, START, STAGES, options["blocks"]),
            plain.r3gan_discriminator(critic["width"], START, STAGES, critic["blocks"]),
        )
    return plain.dcgan_generator(latent, width, START), plain.dcgan_discriminator(critic["width"], START)


def check_equal(ours: Mapping[str, nn.Module], generator: nn.Module, discriminator: nn.Module) -> None:
    """Stop where the two do not make the same picture of one latent, or judge it alike."""
    device = next(generator.parameters()).device
    latent = torch.randn(4, *ours["generator"].latent_shape, device=device)  # type: ignore[misc]
    with torch.no_grad():
        mine, theirs = copy.deepcopy(ours["generator"]).to(device)(latent, {}), copy.deepcopy(generator)(latent)
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-4)
        opinion = copy.deepcopy(ours["discriminator"]).to(device)(mine, {}).logits[0]
        torch.testing.assert_close(opinion, discriminator(theirs), rtol=1e-3, atol=1e-4)


def settings_of(values: Mapping[str, Any]) -> plain.Settings:
    """Read a recipe's numbers."""
    (stage,) = values["stages"]
    rate = stage["schedules"]["optimizers.generator.lr"]
    return plain.Settings(
        latent=values["networks"]["generator"]["latent_dim"],
        gamma=stage["terms"][0]["gamma"],
        rate=rate["start"],
        end_rate=rate["end"],
        steps=stage["steps"],
        half_life=stage["ema"]["generator"]["half_life"],
        ramp=stage["ema"]["generator"]["ramp"],
        reuse_fake=stage["objective"].get("reuse_fake", False),
        batch=stage["batch"],
    )


def fast_recipe() -> dict[str, Any]:
    """Return the recipe as it is shipped, less what is not part of a step."""
    values = source.read(source.find(FAST))
    kept = {name: values[name] for name in ("schema", "name", "networks", "stages")}
    return {**copy.deepcopy(kept), "checkpoint": {"every": 10**9}}


def r3gan_recipe() -> dict[str, Any]:
    """Return R3GAN's networks in the same recipe, each half with a fake and reals of its own, as published."""
    values = fast_recipe()
    critic = {name: value for name, value in R3GAN.items() if name != "latent_dim"}
    values["networks"] = {
        "generator": {"use": "image/r3gan", **R3GAN},
        "discriminator": {"use": "image/r3gan", **critic},
    }
    values["stages"][0]["objective"]["reuse_fake"] = False
    return values


def measure(loops: Mapping[str, Step], arguments: argparse.Namespace) -> dict[str, list[float]]:
    """Return each loop's seconds a step, round by round; the first round warms up and is dropped."""
    on_gpu = arguments.device != "cpu"
    clock: Callable[[], float] = time.perf_counter if on_gpu else time.process_time
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for round_number in range(arguments.rounds + 1):
        for name, step in loops.items():
            start = clock()
            for _ in range(arguments.steps):
                step()
            if on_gpu:
                torch.cuda.synchronize()
            if round_number:
                seconds[name].append((clock() - start) / arguments.steps)
    return seconds

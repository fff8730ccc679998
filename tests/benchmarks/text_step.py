"""A step of RelGAN and a round of SeqGAN at the sizes of their papers, beside TextGAN-PyTorch's own code.

Its networks and loops are imported from a checkout that `--peer` names (github.com/williamSYSU/TextGAN-PyTorch, at
7ff8909), never from here. The oracle has 5,000 words and length 20, a batch is 64. Steps are interleaved, one of each
program in turn; the clock is the processor's own time on one thread, and what is reported is the median over rounds.

A step of RelGAN is an update of the generator and five of the critic. A round of SeqGAN is an update of the generator
by 16 completions of each beginning, and five updates of the critic. The sizes are the same, the critics not quite:
theirs has a highway layer after the filters, and SeqGAN's another number of filters for each width, 1,720 in all, where
ours has 143 of each.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import sys
import tempfile
import time
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import torch
from torch import Tensor
from torch.nn import functional

from tests.benchmarks.step import OurLoop, Step

VOCABULARY, LENGTH, BATCH, ROLLOUTS, CRITIC_UPDATES = 5000, 20, 64, 16, 5
WIDTHS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20)  # of SeqGAN's filters, of which there are 1,720
FILTERS = 143  # of each width with us, where SeqGAN has 100 to 200


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks text_step", description=__doc__)
    parser.add_argument("--peer", type=Path, help="a checkout of TextGAN-PyTorch; without it, ours alone")
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        ours = {
            "RelGAN, a step": Ours(relgan(), Path(folder) / "relgan").step,
            "SeqGAN, a round": Ours(seqgan(), Path(folder) / "seqgan").step,
        }
        theirs = peer(arguments.peer) if arguments.peer else {}
        seconds = measure(ours, theirs, arguments.rounds)
    print("| what | ours, s | TextGAN-PyTorch, s | times as fast |\n| --- | --- | --- | --- |")
    for name, pairs in seconds.items():
        mine, other = (statistics.median(values) for values in zip(*pairs, strict=True))
        ratio = statistics.median(b / a for a, b in pairs)
        print(f"| {name} | {mine:.2f} | {other:.2f} | {ratio:.1f} |")


def measure(ours: Mapping[str, Step], theirs: Mapping[str, Step], rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Return the seconds of ours and of theirs, round by round, after a step of ours to warm up."""
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in ours}
    for step in ours.values():
        step()
    for _ in range(rounds):
        for name, step in ours.items():
            seconds[name].append((timed(step), timed(theirs[name]) if theirs else float("nan")))
    return seconds


def timed(step: Step) -> float:
    """Return the processor's seconds of a step."""
    start = time.process_time()
    step()
    return time.process_time() - start


class Ours(OurLoop):
    """The framework's own step of a recipe."""

    def __init__(self, values: dict[str, Any], out: Path) -> None:
        self.enter(values, out)


def relgan() -> dict[str, Any]:
    """Return RelGAN's sizes as a recipe: one memory slot of 2 x 256, 64 representations, 300 filters of four widths."""
    return recipe(
        {"use": "text/relational-memory"},
        {"use": "text/cnn", "embedding_dim": 64, "representations": 64, "filters": 300, "dropout": 0.25},
        {"use": "adversarial", "loss": "relativistic", "discriminator_steps": CRITIC_UPDATES, "temperature": 1.0},
    )


def seqgan() -> dict[str, Any]:
    """Return SeqGAN's sizes as a recipe."""
    reward = {"use": "critic", "loss": "non-saturating", "worth": "probability", "steps": CRITIC_UPDATES}
    return recipe(
        {"use": "text/lstm", "width": 32, "embedding_dim": 32, "tied": False},
        {"use": "text/cnn", "embedding_dim": 64, "filters": FILTERS, "widths": list(WIDTHS), "dropout": 0.25},
        {"use": "reinforce", "credit": "rollout", "rollouts": ROLLOUTS, "reward": reward},
    )


def recipe(generator: dict[str, Any], discriminator: dict[str, Any], objective: dict[str, Any]) -> dict[str, Any]:
    """Return a recipe of one endless stage on the oracle."""
    adam = {"use": "adam", "lr": 1.0e-4, "clip": 5.0}
    return {
        "schema": 1,
        "name": "benchmark",
        "device": "cpu",
        "data": {"use": "text/oracle", "vocabulary": VOCABULARY, "length": LENGTH},
        "networks": {"generator": generator, "discriminator": discriminator},
        "stages": [
            {
                "name": "contend",
                "objective": objective,
                "steps": 10**9,
                "batch": BATCH,
                "optimizers": {"generator": adam, "discriminator": adam},
            }
        ],
        "checkpoint": {"every": 10**9},
    }


def peer(folder: Path) -> dict[str, Step]:
    """Return the same of the peer, by its own networks, losses and rollouts."""
    sys.path.insert(0, str(folder))
    sys.modules["nltk"] = MagicMock()  # it is imported for BLEU, and not used here
    settings: Any = importlib.import_module("config")
    settings.CUDA, settings.vocab_size, settings.batch_size = False, VOCABULARY, BATCH
    settings.max_seq_len, settings.model_type = LENGTH, "RMC"
    real = torch.randint(2, VOCABULARY, (10_000, LENGTH))
    return {**peer_relgan(settings, real), **peer_seqgan(settings, real)}


def peer_relgan(settings: Any, real: Tensor) -> dict[str, Step]:
    """Return RelGAN's step: as its instructor takes it, with its own optimizers and clipping."""
    instructor: Any = importlib.import_module("instructor.oracle_data.relgan_instructor").RelGANInstructor
    generator_type: Any = importlib.import_module("models.RelGAN_G").RelGAN_G
    critic_type: Any = importlib.import_module("models.RelGAN_D").RelGAN_D
    generator = generator_type(1, 2, 256, 32, 32, VOCABULARY, LENGTH, 0, gpu=False)
    critic = critic_type(64, LENGTH, 64, VOCABULARY, 0, gpu=False)
    # What its methods need of an instructor, whose constructor would first train oracles for minutes.
    stand_in = types.SimpleNamespace(
        gen=generator,
        dis=critic,
        gen_adv_opt=torch.optim.Adam(generator.parameters(), lr=1e-4),
        dis_opt=torch.optim.Adam(critic.parameters(), lr=1e-4),
        optimize=instructor.optimize,
        oracle_data=types.SimpleNamespace(random_batch=lambda: {"target": some(real)}),
    )

    def step() -> None:
        instructor.adv_train_generator(stand_in, 1)
        instructor.adv_train_discriminator(stand_in, CRITIC_UPDATES)

    return {"RelGAN, a step": step}


def peer_seqgan(settings: Any, real: Tensor) -> dict[str, Step]:
    """Return SeqGAN's round: its rollouts and loss, and updates of its critic on real and generated rows."""
    rollout: Any = importlib.import_module("utils.rollout")
    loader: Any = importlib.import_module("utils.data_loader").GenDataIter
    generator: Any = importlib.import_module("models.SeqGAN_G").SeqGAN_G(32, 32, VOCABULARY, LENGTH, 0, gpu=False)
    critic: Any = importlib.import_module("models.SeqGAN_D").SeqGAN_D(64, VOCABULARY, 0, gpu=False)
    rate = torch.optim.Adam(generator.parameters(), lr=1e-2)
    critic_rate = torch.optim.Adam(critic.parameters(), lr=1e-4)

    def step() -> None:
        read, target = loader.prepare(generator.sample(BATCH, BATCH), gpu=False)
        rewards = rollout.ROLLOUT(generator, False).get_reward(target, ROLLOUTS, critic)
        rate.zero_grad()
        generator.batchPGLoss(read, target, rewards).backward()
        rate.step()
        for _ in range(CRITIC_UPDATES):
            rows = torch.cat([some(real), generator.sample(BATCH, BATCH)])  # as many as ours reads
            critic_rate.zero_grad()
            functional.cross_entropy(critic(rows), torch.arange(2 * BATCH).lt(BATCH).long()).backward()
            critic_rate.step()

    return {"SeqGAN, a round": step}


def some(real: Tensor) -> Tensor:
    """Return a batch of rows."""
    return real[torch.randint(len(real), (BATCH,))]

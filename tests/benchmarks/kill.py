"""A digits run killed with SIGKILL at random moments, resumed each time, beside one that was never stopped.

Both must end with the same final weights, byte for byte, and with the same journal but for its times.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TIMES = ("time", "steps_per_second")


def main() -> None:
    """Run both, and compare them."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks kill", description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--every", type=int, default=50, help="steps from one checkpoint to the next")
    parser.add_argument("--seed", type=int, default=0, help="chooses the moments")
    arguments = parser.parse_args()
    overrides = [f"stages.0.steps={arguments.steps}", f"checkpoint.every={arguments.every}", "threads=1"]
    moments = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as name:
        whole, broken = Path(name) / "whole", Path(name) / "broken"
        start = time.perf_counter()
        subprocess.run(
            [*SPARRING, "run", RECIPE, *overrides, "--out", str(whole)], check=True, stderr=subprocess.DEVNULL
        )
        seconds = time.perf_counter() - start
        print(f"the unbroken run took {seconds:.0f} s")
        killed = 0
        while killed < arguments.kills:
            command = ["resume", str(broken)] if broken.exists() else ["run", RECIPE, *overrides, "--out", str(broken)]
            process = subprocess.Popen([*SPARRING, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                # From before the first import to well into training, so that every moment has its chance.
                process.wait(moments.uniform(1, 18 + 2 * seconds / arguments.kills))
                print(f"  finished after {killed} kills")
                break
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                killed += 1
                print(f"  kill {killed} at step {saved(broken)}+")
        subprocess.run([*SPARRING, "resume", str(broken)], check=True, stderr=subprocess.DEVNULL)
        same_weights = weights(whole) == weights(broken)
        same_journal = journal(whole) == journal(broken)
        print(f"{killed} kills: final weights equal: {same_weights}; journals equal but for times: {same_journal}")
        if not (same_weights and same_journal):
            raise SystemExit(1)


SPARRING = [sys.executable, "-m", "sparring"]
RECIPE = "image/dcgan-digits"


def saved(run: Path) -> int | None:
    """Return the last checkpoint's step, or None where there is none yet."""
    steps = [int(path.name) for path in (run / "checkpoints").glob("*") if path.name.isdigit()]
    return max(steps, default=None)


def weights(run: Path) -> dict[str, str]:
    """Return the digest of each file of final weights."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (run / "final").glob("*.safetensors")}


def journal(run: Path) -> list[dict[str, Any]]:
    """Return the journal without its times."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{key: value for key, value in line.items() if key not in TIMES} for line in lines]

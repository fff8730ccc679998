"""Run one benchmark: ``python -m tests.benchmarks step``."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

NAMES = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))


def main() -> int:
    """Run the benchmark that the command line names, or list them all."""
    if len(sys.argv) < 2 or sys.argv[1] not in NAMES:
        print("Benchmarks (make bench ARGS=NAME):")
        for name in NAMES:
            summary = (importlib.import_module(f"tests.benchmarks.{name}").__doc__ or "").splitlines()[0]
            print(f"  {name:10} {summary}")
        return 0 if len(sys.argv) < 2 else 2
    importlib.import_module(f"tests.benchmarks.{sys.argv.pop(1)}").main()
    return 0


sys.exit(main())

"""Settings of the tests of both domains: they train tiny runs, and leave the report to its own tests."""

from __future__ import annotations

from tests.core.training.conftest import no_report

__all__ = ["no_report"]

"""Settings of the proofs."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out each run's report, whose pictures would take a third of the time and prove nothing here."""
    monkeypatch.setattr("sparring.api.write_report", lambda folder: None)

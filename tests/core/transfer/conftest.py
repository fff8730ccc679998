"""Settings of the tests of the transfer."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def no_report(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the report, whose charts take longer than a tiny run: it has tests of its own."""
    if "report" not in request.keywords:
        monkeypatch.setattr("sparring.api.write_report", lambda folder: folder / "report.html")

"""The recorded previews are what the real engine writes. It runs on fleets of its own: a fresh stack is one of them."""

from pathlib import Path

import pytest

from mig_fleet.review.preview import read_events, read_previews
from mig_fleet.review.reader import review_all
from tests.review.recordings import WRITES, names, recorded, reduced, reduced_events, write
from tests.review.scenes import scenes

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]


def test_the_engine_writes_previews_as_recorded(binaries: Path, tmp_path: Path) -> None:
    found = {}
    for name, preview, events in scenes(tmp_path, binaries):
        if WRITES:
            write(name, preview, events)
        logs = [read_events(name, reduced_events(events))] if events else []
        (found[name],) = review_all(read_previews(name, reduced(preview)), logs)
    assert sorted(found) == names(), "a recording without a scene; run `make review-fixtures`"
    verdicts = {name: review.verdict for name, review in found.items()}
    assert verdicts == {name: recorded(name).verdict for name in names()}, "run `make review-fixtures`"

"""The comment of each kind of preview, as a reviewer reads it. `make review-fixtures` renews the golden files."""

from pathlib import Path
from tempfile import gettempdir

import pytest

from mig_fleet.review.markdown import to_markdown
from tests.review.recordings import FOLDER, WRITES, names, recorded


@pytest.mark.parametrize("name", names())
def test_a_comment_is_as_its_golden_file(name: str) -> None:
    text, path = to_markdown([recorded(name)]), FOLDER / f"{name}.md"
    if WRITES:
        path.write_text(text)
    assert text == path.read_text(), f"{path.name} differs; if that is right, run `make review-fixtures`"


def test_every_kind_of_preview_is_recorded() -> None:
    kinds = "fresh no-change drift one-gpu pods-in-use pods-stranded pods-evicted same-slices failed-policy "
    assert names() == sorted(f"{kinds}unreachable many-nodes destroyed-pool".split())


@pytest.mark.parametrize("name", names())
def test_a_recording_and_its_comment_are_small_and_have_nothing_local(name: str) -> None:
    for path in FOLDER.glob(f"{name}.*"):
        text = path.read_text()
        assert len(text) < (60_000 if name == "many-nodes" else 20_000), path.name
        for local in ("kubeconfig", str(Path(__file__).parents[2]), gettempdir()):
            assert local not in text, path.name

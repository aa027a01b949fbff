"""A program of a control plane gets none of our environment, but what Go reads of its garbage collector."""

from pathlib import Path

import pytest

from mig_fleet.simulator.control_plane.process import Child
from mig_fleet.simulator.polling import wait_until


@pytest.mark.parametrize(
    ("own", "given", "expected"), [("400", {}, "400"), ("100", {"GOGC": "400"}, "400"), (None, {}, "")]
)
def test_a_child_gets_our_setting_of_the_collector_unless_it_has_its_own_and_no_proxy(
    own: str | None, given: dict[str, str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.delenv("GOGC", raising=False)
    if own is not None:
        monkeypatch.setenv("GOGC", own)
    child = Child("sh", ["/bin/sh", "-c", 'echo "$GOGC|$HTTPS_PROXY"'], tmp_path / "log", given)
    wait_until(lambda: child.exit_code is not None, "it has ended")
    assert child.last_lines() == f"{expected}|"

"""The share of a build that is done: honest at every moment of a log."""

from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mig_fleet import toolchain
from mig_fleet.toolchain import Share, Step
from mig_fleet.toolchain.share import head
from tests.toolchain.conftest import PACKAGES, Computer

NAMES = st.sampled_from(["internal/goarch", "k8s.io/api/core/v1", "gopkg.in/yaml.v3", "a.b/c~d/e-f_g"])
NOISE = st.sampled_from(["# a.b/c", "c.go:1:2: undefined: x", "go: downloading a.b/d v1.0.0", "note: too old", ""])


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(
    cached=st.integers(0, 5),
    names=st.lists(NAMES, max_size=6),
    noise=st.lists(NOISE, max_size=3),
    surplus=st.lists(NAMES, max_size=2),
)
def test_the_share_never_decreases_and_never_exceeds_all_packages(
    cached: int, names: list[str], noise: list[str], surplus: list[str]
) -> None:
    counted = head(["cached"] * cached + ["compile"] * len(names))
    text = (
        "".join(f"{line}\n" for line in noise) + counted + "".join(f"{line}\n" for line in [*names, *noise, *surplus])
    )
    before = Share(0)
    for end in range(len(text) + 1):  # also between the letters of a line
        share = Share.of(text[:end])
        assert before.done <= share.done <= share.total and before.sources <= share.sources
        assert before.percent <= share.percent <= 100
        assert share.total in (before.total, cached + len(names)), "the number of all packages never changes"
        before = share
    assert before.is_linking == (cached + len(names) > 0), "each package is compiled"


def test_packages_in_gos_cache_are_done_at_once() -> None:
    assert Share.of(head(["cached"] * 3 + ["compile"])) == Share(0, 3, 4)


def test_nothing_is_known_before_a_build_has_a_log(tmp_path: Path) -> None:
    assert Share.read(tmp_path / "log") is None


def test_a_build_ends_with_all_its_packages_in_its_log(computer: Computer, etcd: toolchain.Family) -> None:
    computer.has_go()
    shares: list[Share | None] = []

    class Show(AbstractContextManager[None]):
        def __init__(self, step: Step) -> None:
            self.step = step
            shares.append(step.share)

        def __exit__(self, *_: object) -> None:
            shares.append(self.step.share)

    toolchain.ensure([etcd], progress=Show, environment=computer.environment)
    count = len(PACKAGES) + 1
    assert shares == [None, Share(1, count, count)]


def test_a_build_does_not_begin_with_the_share_of_an_earlier_one(computer: Computer, etcd: toolchain.Family) -> None:
    computer.has_go(fails="missing go.sum entry")
    with pytest.raises(toolchain.BuildFailed) as raised:
        toolchain.ensure([etcd], environment=computer.environment)
    assert Share.read(raised.value.log) is not None, "the log of the failure is kept"
    computer.has_go()
    shares: list[Share | None] = []

    def record(step: Step) -> AbstractContextManager[object]:
        shares.append(step.share)
        return toolchain.no_progress(step)

    toolchain.ensure([etcd], progress=record, environment=computer.environment)
    assert shares == [None]


def test_a_failure_is_shown_without_the_names_of_packages(computer: Computer, etcd: toolchain.Family) -> None:
    computer.has_go(fails="missing go.sum entry")
    with pytest.raises(toolchain.BuildFailed) as raised:
        toolchain.ensure([etcd], environment=computer.environment)
    assert "last lines:\nmissing go.sum entry\nThe whole log" in str(raised.value)
    assert PACKAGES[0] in raised.value.log.read_text(), "the log has them"

"""A preview shows the pods that each wave would leave without slices, and whether the update will be refused."""

import pytest

from mig_fleet.model.wave_nodes import node_names
from mig_fleet.observed.snapshot import invalidate
from mig_fleet.rollout.stranding.check import LISTED_PODS, WAYS_OUT
from tests.memory.fleet import DENSE, WIDE, Fleet
from tests.memory.wave import ASSIGNMENT, Props, a_wave, roll_out

NO_SLICE = "0/2 nodes fit: 2 without mig-1g.10gb"
REFUSED = ("pool-wave-0 will be refused (onStrandedPods: refuse)", WAYS_OUT)


def stranded(wave: Props) -> list[str]:
    """The property of the next preview, of a wave that had layout DENSE."""
    invalidate()
    found = ASSIGNMENT.check(a_wave(*node_names(wave)), wave)
    assert found.failures == []
    lines: list[str] = found.inputs.get("podsUnschedulable", [])
    return lines


def widen(*nodes: str, **changes: object) -> Props:
    return a_wave(*nodes, layout=WIDE, **{"on_user_pods": "evict", **changes})


@pytest.fixture
def dense(fleet: Fleet) -> Fleet:
    """n1 and n2 offer 14 slices 1g.10gb each, and belong to two waves."""
    roll_out(a_wave("n1"))
    roll_out(a_wave("n2", wave="pool-wave-1"))
    return fleet


def test_a_stranded_pod_is_listed_with_the_reasons_and_the_refusal(dense: Fleet) -> None:
    dense.pod("web", "n1")
    assert stranded(widen("n1", "n2")) == [
        "team/web (Deployment web) runs on n1 and requests mig-1g.10gb",
        NO_SLICE,
        *REFUSED,
    ]


def test_with_warn_no_refusal_is_planned(dense: Fleet) -> None:
    dense.pod("web", "n1")
    found = stranded(widen("n1", "n2", on_stranded_pods="warn"))
    assert found == ["team/web (Deployment web) runs on n1 and requests mig-1g.10gb", NO_SLICE]


def test_a_node_that_is_in_use_is_refused_for_that(dense: Fleet) -> None:
    dense.pod("web", "n1")
    found = stranded(widen("n1", "n2", on_user_pods="refuse"))
    assert found == ["team/web (Deployment web) runs on n1 and requests mig-1g.10gb", NO_SLICE]


def test_a_pod_that_finds_a_slice_on_a_node_that_keeps_its_layout_is_not_listed(dense: Fleet) -> None:
    dense.pod("web", "n1")
    dense.pod("queue")
    assert stranded(widen("n1")) == []


def test_a_wave_lists_the_pods_that_find_no_slice_once_the_waves_before_it_have_changed(dense: Fleet) -> None:
    dense.pod("web", "n1")
    first, second = widen("n1"), widen("n2", wave="pool-wave-1", earlier="n1")
    assert stranded(first) == [], "n2 still offers slices"
    assert stranded(second) == [
        "team/web (Deployment web) runs on n1 and requests mig-1g.10gb",
        NO_SLICE,
        "pool-wave-1 will be refused (onStrandedPods: refuse)",
        WAYS_OUT,
    ]


def test_a_pod_that_an_earlier_wave_strands_is_listed_there_only(dense: Fleet) -> None:
    for number in range(14):
        dense.pod(f"other-{number}", "n2")
    dense.pod("web", "n1")
    first, second = widen("n1"), widen("n2", wave="pool-wave-1", earlier="n1")
    assert [line.partition(" ")[0] for line in stranded(first) if "requests" in line] == ["team/web"]
    assert [line.partition(" ")[0] for line in stranded(second) if "requests" in line] == sorted(
        f"team/other-{number}" for number in range(14)
    )


def test_a_pod_that_waits_is_listed_by_the_wave_after_which_nothing_offers_its_slices(dense: Fleet) -> None:
    dense.pod("queue")
    assert stranded(widen("n1")) == []
    assert len(stranded(widen("n2", wave="pool-wave-1", earlier="n1"))) == 4


def test_many_pods_are_counted_after_the_first_twenty(dense: Fleet) -> None:
    for number in range(LISTED_PODS + 3):
        dense.pod(f"web-{number:02}", "n1" if number < 14 else "n2")
    lines = stranded(widen("n1", "n2"))
    assert lines[LISTED_PODS:] == [NO_SLICE, "and 3 more", *REFUSED]


def test_a_wave_that_keeps_its_slices_lists_no_pod(fleet: Fleet) -> None:
    fleet.add("n1", DENSE.config_name)
    fleet.pod("web", "n1")
    assert stranded(a_wave("n1")) == []

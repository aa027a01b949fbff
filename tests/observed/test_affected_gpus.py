"""Which GPUs MIG Manager touches for a layout: only a current and complete report can exclude one."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mig_fleet.model import labels
from mig_fleet.model.report import STALE_AFTER_S, Report
from mig_fleet.model.strategy import PerGpu
from mig_fleet.observed.gpus.affected import AffectedGpus, affected_gpus
from mig_fleet.observed.snapshot import Node
from tests.memory.fleet import A100, a_gpu

DENSE, WIDE = {"1g.10gb": 7}, {"3g.40gb": 2}

profiles = st.sampled_from([DENSE, WIDE, {"2g.20gb": 3}, {}])
modes = st.none() | profiles


def a_node(now: PerGpu, **changes: Any) -> Node:
    """A node with a current report of these slices. ``changes`` are fields of :class:`Node`, or ``pci_id``."""
    gpu = {key: changes.pop(key) for key in ("pci_id",) if key in changes}
    gpus = tuple(a_gpu(index, profiles, **gpu) for index, profiles in enumerate(now))
    facts: dict[str, Any] = {
        "name": "n1",
        "labels": {labels.CONFIG: "dense", labels.STATE: "success"},
        "annotations": {labels.ATTEMPT: "1"},
        "allocatable": {},
        "report": Report("n1", "580.126.09", "dense", "success", gpus, attempt="1"),
    }
    return Node(**{**facts, **changes})


def indexes(now: PerGpu, target: PerGpu, **changes: Any) -> set[int]:
    return set(affected_gpus(a_node(now, **changes), target).indexes)


# Laws


@given(st.lists(st.tuples(profiles, profiles), min_size=1, max_size=8))
def test_without_a_change_of_a_mode_exactly_the_gpus_whose_slices_differ_are_affected(
    pairs: list[tuple[dict[str, int], dict[str, int]]],
) -> None:
    now, target = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    found = affected_gpus(a_node(now), target)
    assert found.indexes == {index for index, (have, desired) in enumerate(pairs) if have != desired}
    assert found.whole_node == ""
    assert found.every_gpu == (len(found.indexes) == len(pairs))


@given(st.lists(modes, min_size=1, max_size=8))
def test_the_slices_that_a_node_has_already_affect_no_gpu(now: list[dict[str, int] | None]) -> None:
    assert affected_gpus(a_node(now), now).nothing


@given(st.lists(st.tuples(modes, modes), min_size=1, max_size=8))
def test_a_gpu_that_is_not_affected_has_its_slices_before_and_after(
    pairs: list[tuple[dict[str, int] | None, dict[str, int] | None]],
) -> None:
    found = affected_gpus(a_node([have for have, _ in pairs]), [desired for _, desired in pairs])
    kept = [pair for index, pair in enumerate(pairs) if index not in found.indexes]
    assert all(have == desired for have, desired in kept)
    switched = any((have is None) != (desired is None) for have, desired in pairs)
    if switched:
        assert all(have is None for have, _ in kept), "mig-parted clears every GPU that has MIG on"


# Examples


def test_one_gpu_of_eight() -> None:
    now = [DENSE] * 8
    found = affected_gpus(a_node(now), [DENSE] * 3 + [WIDE] + [DENSE] * 4)
    assert found == AffectedGpus(frozenset({3}))
    assert not found.nothing


def test_a_mode_that_changes_affects_every_gpu_with_mig_on_and_no_gpu_with_mig_off() -> None:
    assert indexes([DENSE, None, None], [DENSE, WIDE, None]) == {0, 1}


def test_a_count_of_zero_is_never_equal_to_a_missing_profile() -> None:
    assert indexes([DENSE, DENSE], [{**DENSE, "2g.20gb": 0}, DENSE]) == {0}


def test_on_ampere_a_mode_that_changes_affects_the_whole_node() -> None:
    found = affected_gpus(a_node([None, None], pci_id=A100), [None, {"1g.10gb": 7}])
    assert found.indexes == {0, 1} and found.every_gpu
    assert found.whole_node == "the MIG mode of GPU 1 changes, and that resets all GPUs of the node"


def test_on_ampere_other_slices_affect_only_their_gpu() -> None:
    assert indexes([DENSE, DENSE], [DENSE, WIDE], pci_id=A100) == {1}


def test_a_chip_that_is_not_in_the_catalog_counts_as_one_that_must_be_reset() -> None:
    assert affected_gpus(a_node([None, DENSE], pci_id="0x123410DE"), [DENSE, DENSE]).whole_node


def a_report(**changes: Any) -> Callable[[Node], Node]:
    def change(node: Node) -> Node:
        assert node.report is not None
        return replace(node, report=replace(node.report, **changes))

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda node: replace(node, report=None), "its probe has not reported"),
        (lambda node: replace(node, report_age_s=STALE_AFTER_S + 1), "its probe has not reported for 5 minutes"),
        (a_report(errors=("GPU 0: GPU is lost",)), "GPU 0: GPU is lost"),
        (a_report(attempt="0"), "its probe has not reported since the last change"),
        (a_report(state="pending"), "its probe has not reported since the last change"),
        (a_report(config="other"), "its probe has not reported since the last change"),
        (a_report(gpus=(a_gpu(0, DENSE),)), "NVML reports 1 GPU where the layout has 2 GPUs"),
        (
            a_report(gpus=(a_gpu(0, DENSE), a_gpu(1, DENSE, mig_mode_pending=False))),
            "GPU 1: a change of the MIG mode waits for a GPU reset; drain and reboot the node",
        ),
    ],
    ids=["no report", "stale", "error", "attempt", "state", "config", "fewer GPUs", "pending mode"],
)
def test_a_report_that_proves_nothing_makes_the_whole_node_count(change: Callable[[Node], Node], reason: str) -> None:
    found = affected_gpus(change(a_node([DENSE, DENSE])), [DENSE, DENSE])
    assert found.whole_node == reason
    assert found.every_gpu and not found.nothing


@pytest.mark.parametrize("state", ["success", "failed"])
def test_a_current_report_counts_after_a_failure_too(state: str) -> None:
    node = a_report(state=state)(a_node([DENSE, WIDE], labels={labels.CONFIG: "dense", labels.STATE: state}))
    assert affected_gpus(node, [DENSE, DENSE]) == AffectedGpus(frozenset({1}))


def test_a_node_that_is_not_in_the_cluster_and_a_layout_that_is_not_known_count_as_whole_nodes() -> None:
    assert affected_gpus(None, [DENSE]).whole_node == "it is not in the cluster"
    assert affected_gpus(a_node([DENSE]), None).whole_node == "the slices of its new config are not known"


def test_gpus_are_compared_by_their_index_and_not_by_their_place_in_the_report() -> None:
    node = a_report(gpus=(a_gpu(1, WIDE), a_gpu(0, DENSE)))(a_node([DENSE, WIDE]))
    assert affected_gpus(node, [DENSE, WIDE]).nothing

"""Advice about a layout: which slices count, how much of them was measured, and what it saves."""

from typing import Any

import pytest

from mig_fleet.advice import group_advice
from mig_fleet.advice.layout_advice import LayoutAdvice, advise
from mig_fleet.advice.measurement import SIZED_BY, Measurement
from mig_fleet.advice.outcome import Confidence, Outcome
from mig_fleet.model.layouts import GpuGroup, Layout
from mig_fleet.model.strategy import Strategy
from mig_fleet.monitoring import series
from tests.advice.measurements import GIB, WINDOW, a_measurement, members, of_nodes

HALVES = Layout.uniform("halves", "H100-80GB", {"3g.40gb": 2})
TWO_KINDS = Layout(
    "two-kinds", "H100-80GB", (GpuGroup((0,), {"3g.40gb": 2}), GpuGroup((1,), {"2g.20gb": 3}), GpuGroup((2,), None))
)


def outcomes(advice: LayoutAdvice) -> dict[str, Outcome]:
    return {sizing.profile: sizing.outcome for sizing in advice.sizings}


def test_slices_that_are_all_quiet_become_smaller() -> None:
    measured = [*of_nodes("3g.40gb", 2, ["n1", "n2"], busy=0.4)]
    found = advise(HALVES, members("n1", "n2"), measured, WINDOW, price=2.5)
    assert found.after == Layout.uniform("halves", "H100-80GB", {"2g.20gb": 3})
    assert found.sizings[0].confidence is Confidence.HIGH
    assert (found.nodes, found.gpus) == (2, 4)
    assert found.saved_gpus == pytest.approx(4 / 3)
    assert found.saved_usd == pytest.approx(2.5 * 4 / 3)


@pytest.mark.parametrize(
    ("strategy", "resource"), [(Strategy.MIXED, "nvidia.com/mig-2g.20gb"), (Strategy.SINGLE, "nvidia.com/gpu")]
)
def test_pods_request_the_resource_of_the_clusters_strategy(strategy: Strategy, resource: str) -> None:
    found = advise(HALVES, members(), [*of_nodes("3g.40gb", 2, busy=0.4)], WINDOW, strategy=strategy)
    assert found.resource_of("2g.20gb") == resource


@pytest.mark.parametrize(("strategy", "is_changed"), [(Strategy.MIXED, True), (Strategy.SINGLE, False)])
def test_under_single_no_gpu_of_a_node_gets_another_profile_than_the_others(
    strategy: Strategy, is_changed: bool
) -> None:
    """GPU 0 is quiet, and nothing is known of GPU 1."""
    two = Layout("two", "H100-80GB", (GpuGroup((0,), {"3g.40gb": 2}), GpuGroup((1,), {"3g.40gb": 1})))
    measured = [each for each in of_nodes("3g.40gb", 2, busy=0.4) if each.slice.gpu == 0]
    found = advise(two, members(), measured, WINDOW, strategy=strategy)
    assert (found.after is not None) is is_changed
    assert found.sizings[0].outcome is (Outcome.SMALLER if is_changed else Outcome.KEEP)
    assert found.saved_gpus > 0 or not is_changed


def test_without_a_price_the_saving_is_in_gpus() -> None:
    found = advise(HALVES, members(), [*of_nodes("3g.40gb", 2, busy=0.4)], WINDOW)
    assert found.saved_gpus > 0 and found.saved_usd is None


def test_one_busy_slice_keeps_the_size_of_all() -> None:
    measured = [*of_nodes("3g.40gb", 2, busy=0.1)]
    busy = a_measurement(gpu=1, slice_="2", busy=0.7)
    assert outcomes(advise(HALVES, members(), [*measured[:-1], busy], WINDOW)) == {"3g.40gb": Outcome.KEEP}


def test_a_slice_that_had_a_pod_for_a_moment_counts_by_its_use() -> None:
    measured = [*of_nodes("3g.40gb", 2, busy=0.1)]
    moment = a_measurement(gpu=1, slice_="2", memory=39 * GIB, with_pod=0.001)
    assert outcomes(advise(HALVES, members(), [*measured[:-1], moment], WINDOW)) == {"3g.40gb": Outcome.KEEP}


@pytest.mark.parametrize(("with_pod", "known"), [(0.7, True), (0.69, False)])
def test_slices_without_pods_lower_the_coverage(with_pod: float, known: bool) -> None:
    found = advise(HALVES, members(), [*of_nodes("3g.40gb", 2, with_pod=with_pod)], WINDOW)
    assert (found.after is not None) is known
    assert found.sizings[0].use.coverage == pytest.approx(with_pod)


def test_nodes_that_report_nothing_lower_the_coverage() -> None:
    found = advise(HALVES, members("n1", "n2"), [*of_nodes("3g.40gb", 2, ["n1"])], WINDOW)
    assert found.sizings[0].use.coverage == pytest.approx(0.5)
    assert found.sizings[0].use.reported == pytest.approx(0.5)
    assert outcomes(found) == {"3g.40gb": Outcome.NOT_ENOUGH_HISTORY}


@pytest.mark.parametrize("absent", SIZED_BY)
def test_a_series_that_is_not_exported_is_named(absent: str) -> None:
    measured = [*of_nodes("3g.40gb", 2, series=[name for name in SIZED_BY if name != absent])]
    (sizing,) = advise(HALVES, members(), measured, WINDOW).sizings
    assert sizing.outcome is Outcome.NOT_ENOUGH_HISTORY
    assert absent in sizing.reason


def test_without_sm_activity_the_confidence_is_lower() -> None:
    (sizing,) = advise(HALVES, members(), [*of_nodes("3g.40gb", 2, series=SIZED_BY)], WINDOW).sizings
    assert (sizing.outcome, sizing.confidence) == (Outcome.SMALLER, Confidence.MEDIUM)


@pytest.mark.parametrize(
    ("most", "mean", "ratio", "expected"),
    [
        (36.0, 35.5, 0.9, True),
        (36.0, 35.0, 0.9, False),  # 36 / 35 is more than 1.02
        (36.0, 35.5, 0.85, False),
        (0.0, 0.0, 0.9, False),
    ],
)
def test_memory_that_is_steady_and_nearly_full_looks_preallocated(
    most: float, mean: float, ratio: float, expected: bool
) -> None:
    changes: dict[str, Any] = {"memory": most * GIB, "memory_mean": mean * GIB, "memory_ratio": ratio}
    (sizing,) = advise(HALVES, members(), [*of_nodes("3g.40gb", 2, **changes)], WINDOW).sizings
    assert sizing.use.preallocated is expected
    assert (sizing.outcome is Outcome.PREALLOCATED) is expected


def test_a_server_that_reserves_memory_on_one_slice_is_enough() -> None:
    measured = [*of_nodes("3g.40gb", 2, busy=0.1)]
    server = a_measurement(gpu=1, slice_="2", memory=36 * GIB, memory_mean=36 * GIB, memory_ratio=0.9)
    assert outcomes(advise(HALVES, members(), [*measured[:-1], server], WINDOW)) == {"3g.40gb": Outcome.PREALLOCATED}


def test_each_gpu_group_is_sized_by_its_own_gpus() -> None:
    measured = [*of_nodes("3g.40gb", 2, gpus=[0], busy=0.4), *of_nodes("2g.20gb", 3, gpus=[1], busy=0.7)]
    found = advise(TWO_KINDS, members(gpus_per_node=3), measured, WINDOW)
    assert outcomes(found) == {"3g.40gb": Outcome.SMALLER, "2g.20gb": Outcome.KEEP}
    # Both groups have the same profiles then, so they are one.
    assert found.after is not None
    assert found.after.groups == (GpuGroup((0, 1), {"2g.20gb": 3}), GpuGroup((2,), None))
    assert found.saved_gpus == pytest.approx(1 / 3)


def test_new_profiles_that_do_not_fit_together_are_not_proposed_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """No GPU model of the catalog has such a layout, so the proof of both together is replaced."""
    layout = Layout.uniform("both", "RTX PRO 6000", {"2g.48gb": 1, "2g.48gb+gfx": 1})
    measured = [*of_nodes("2g.48gb", 1), *of_nodes("2g.48gb+gfx", 1)]
    assert set(outcomes(advise(layout, members(), measured, WINDOW)).values()) == {Outcome.SMALLER}
    monkeypatch.setattr(group_advice, "prove", lambda _gpu, profiles: len(profiles) == 2 and "2g.48gb+gfx" in profiles)
    found = advise(layout, members(), measured, WINDOW)
    assert outcomes(found) == {"2g.48gb": Outcome.SMALLER, "2g.48gb+gfx": Outcome.KEEP}
    assert found.after is not None and found.after.groups[0].profiles == {"1g.24gb": 2, "2g.48gb+gfx": 1}


def test_a_slice_on_a_gpu_of_another_group_does_not_count() -> None:
    measured = [*of_nodes("3g.40gb", 2, gpus=[1])]
    (sizing, _) = advise(TWO_KINDS, members(gpus_per_node=3), measured, WINDOW).sizings
    assert sizing.use.coverage == 0


def test_all_pools_with_the_layout_count() -> None:
    both = [*members("n1"), *members("n2", gpus_per_node=1, pool="batch")]
    measured = [*of_nodes("3g.40gb", 2, ["n1"]), *of_nodes("3g.40gb", 2, ["n2"], gpus=[0, 1], busy=0.7)]
    found = advise(HALVES, both, measured, WINDOW)
    assert (found.gpus, found.sizings[0].use.slices) == (3, 6)
    assert found.sizings[0].use.busy == 0.7


def test_a_profile_in_the_spelling_of_an_older_exporter_is_known() -> None:
    """An H100 NVL has 1g.11gb for 1g.12gb."""
    layout = Layout.uniform("dense", "H100-94GB", {"3g.47gb": 2})
    measured = [*of_nodes("3g.46gb", 2)]
    assert advise(layout, members(), measured, WINDOW).sizings[0].use.coverage == 1


def test_prometheus_2_counts_one_sample_more_than_the_window_has() -> None:
    measured = [*of_nodes("3g.40gb", 2, with_pod=1 + 1 / WINDOW.samples)]
    assert advise(HALVES, members(), measured, WINDOW).sizings[0].use.coverage == 1


def test_a_ratio_above_one_is_one() -> None:
    (sizing,) = advise(HALVES, members(), [*of_nodes("3g.40gb", 2, busy=1.29)], WINDOW).sizings
    assert sizing.use.busy == 1 and sizing.outcome is Outcome.SATURATED


def test_nothing_measured_is_not_enough_history() -> None:
    nothing: list[Measurement] = []
    (sizing,) = advise(HALVES, members(), nothing, WINDOW).sizings
    assert sizing.outcome is Outcome.NOT_ENOUGH_HISTORY and sizing.confidence is Confidence.LOW
    assert sizing.reason.startswith("0% of the slices' time was measured")
    assert series.ACTIVITY in sizing.use.missing

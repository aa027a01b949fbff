"""The snapshot of one run: shared by its readers, dropped by our writes, one cache entry per cluster."""

import threading
from collections.abc import Iterator

import pytest

from mig_fleet.cluster.connection import ClusterArgs
from mig_fleet.cluster.errors import ClusterUnreachable
from mig_fleet.observed import snapshot
from mig_fleet.observed.dra.resource_slices import ResourceSlices
from mig_fleet.observed.snapshot import Snapshot, invalidate, observe

FIRST, SECOND = ClusterArgs(kubeconfig="first"), ClusterArgs(kubeconfig="second")
WITHIN_S = 20


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The clusters that were really read."""
    found: list[str] = []

    def read_once(cluster: ClusterArgs, _reports_namespace: str, _dra: bool) -> Snapshot:
        found.append(cluster["kubeconfig"])
        return Snapshot()

    monkeypatch.setattr(snapshot, "_read", read_once)
    invalidate()
    yield found
    invalidate()


def test_a_snapshot_is_shared_until_we_write(read: list[str]) -> None:
    assert observe(FIRST, "r") is observe(FIRST, "r")
    assert read == ["first"]
    invalidate()
    observe(FIRST, "r")
    assert read == ["first", "first"]


def test_a_fresh_snapshot_is_read_again_and_then_shared(read: list[str]) -> None:
    observe(FIRST, "r")
    seen = observe(FIRST, "r", fresh=True)
    assert read == ["first", "first"]
    assert observe(FIRST, "r") is seen


def test_a_snapshot_without_the_drivers_publications_is_read_again_where_they_are_needed(
    monkeypatch: pytest.MonkeyPatch, read: list[str]
) -> None:
    asked: list[bool] = []

    def read_once(_cluster: ClusterArgs, _reports_namespace: str, dra: bool) -> Snapshot:
        asked.append(dra)
        return Snapshot(resource_slices=ResourceSlices({}, {}) if dra else None)

    monkeypatch.setattr(snapshot, "_read", read_once)
    observe(FIRST, "r")
    with_dra = observe(FIRST, "r", dra=True)
    assert observe(FIRST, "r") is observe(FIRST, "r", dra=True) is with_dra
    assert asked == [False, True]


def test_an_unreachable_cluster_costs_one_timeout_per_run(monkeypatch: pytest.MonkeyPatch, read: list[str]) -> None:
    def fail(cluster: ClusterArgs, _reports_namespace: str, _dra: bool) -> Snapshot:
        read.append(cluster["kubeconfig"])
        raise ClusterUnreachable("the cluster does not answer")

    monkeypatch.setattr(snapshot, "_read", fail)
    for _ in range(2):
        with pytest.raises(ClusterUnreachable, match="the cluster does not answer"):
            observe(FIRST, "r")
    assert read == ["first"]


def test_a_snapshot_during_which_we_wrote_is_not_cached(read: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def read_during_a_write(*_: object) -> Snapshot:
        invalidate()
        return Snapshot()

    with monkeypatch.context() as patch:
        patch.setattr(snapshot, "_read", read_during_a_write)
        seen = observe(FIRST, "r")
    assert observe(FIRST, "r") is not seen
    assert read == ["first"]


def test_a_cluster_that_does_not_answer_does_not_delay_the_snapshot_of_another(
    read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started, release = threading.Event(), threading.Event()

    def slow(cluster: ClusterArgs, _reports_namespace: str, _dra: bool) -> Snapshot:
        if cluster == FIRST:
            started.set()
            assert release.wait(WITHIN_S)
        return Snapshot()

    monkeypatch.setattr(snapshot, "_read", slow)
    waiting = threading.Thread(target=observe, args=(FIRST, "r"))
    waiting.start()
    try:
        assert started.wait(WITHIN_S)
        other = threading.Thread(target=observe, args=(SECOND, "r"))
        other.start()
        other.join(WITHIN_S)
        assert not other.is_alive() and waiting.is_alive()
    finally:
        release.set()
        waiting.join(WITHIN_S)

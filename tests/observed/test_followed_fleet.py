"""A fleet that is followed shows what a full reading shows, and reads in full only when it must."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mig_fleet.cluster.changes import Since
from mig_fleet.cluster.client import Cluster
from mig_fleet.cluster.connection import Json
from mig_fleet.cluster.errors import ClusterError, ClusterUnreachable, Forbidden
from mig_fleet.cluster.lists import decode_items
from mig_fleet.model import labels
from mig_fleet.model.report import Report
from mig_fleet.observed import followed_fleet, snapshot
from mig_fleet.observed.dra.resource_slices import NOTHING
from mig_fleet.observed.followed_fleet import FULL_EVERY_S, FollowedFleet
from mig_fleet.observed.snapshot import Node
from tests.observed.dra_objects import a_slice

T = TypeVar("T")

NODES, REPORTS = "/api/v1/nodes", "/api/v1/namespaces/mig-fleet/configmaps"
SLICES = "/apis/resource.k8s.io/v1/resourceslices"
NAMES = ("n1", "n2", "n3")


class Server(Cluster):
    """Nodes and reports with their history, as the API server keeps it."""

    server_time = None

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Json]] = {NODES: {}, REPORTS: {}, SLICES: {}}
        self.events: list[tuple[int, str, str, Json]] = []
        self.version = 1
        self.full = 0
        """Readings in full."""
        self.asked: list[list[str]] = []
        """The versions from which changes were requested."""
        self.failure: ClusterError | None = None
        self.extra = b""
        """What the answer to a watch has besides."""
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def put(self, path: str, name: str, item: Json | None) -> None:
        """Write an object, or delete it."""
        self.version += 1
        before = self.objects[path].pop(name, None)
        if item is not None:
            item = {**item, "metadata": {"name": name, **item["metadata"], "resourceVersion": str(self.version)}}
            self.objects[path][name] = item
        kind = "DELETED" if item is None else "MODIFIED" if before else "ADDED"
        found = item or (
            before and {**before, "metadata": {**before["metadata"], "resourceVersion": str(self.version)}}
        )
        if found:
            self.events.append((self.version, path, kind, found))

    def node(self, name: str, **found: str) -> None:  # type: ignore[override]
        """Write a node with these labels."""
        self.put(NODES, name, {"metadata": {"uid": name, "labels": found}, "status": {"allocatable": {}}})

    def report(self, name: str, driver: str) -> None:
        text = Report(name, driver, config="a", state="success", gpus=()).to_json()
        self.put(REPORTS, labels.REPORT_PREFIX + name, {"metadata": {}, "data": {labels.REPORT_KEY: text}})

    def publish(self, name: str, *devices: str) -> None:
        """The DRA driver writes the ResourceSlice of a node."""
        found = a_slice(name, [{"name": device} for device in devices])
        self.put(SLICES, found["metadata"]["name"], {**found, "metadata": {}})

    # As the product uses it.

    def read_items(self, path: str, shape: type[T], *_: object) -> tuple[list[T], dict[str, str]]:
        self.full += path == NODES
        return decode_items(json.dumps({"items": list(self.objects[path].values())}).encode(), shape)

    def since_now(self, path: str, query: Mapping[str, str]) -> Since:
        return Since(path, query, str(self.version))

    def changes(self, since: Sequence[Since], within_s: int) -> list[bytes]:
        self.asked.append([it.version for it in since])
        if self.failure is not None:
            raise self.failure
        self.now += within_s
        return [
            b"".join(
                json.dumps({"type": kind, "object": item}).encode() + b"\n"
                for version, path, kind, item in self.events
                if path == it.path and version > int(it.version)
            )
            + self.extra
            for it in since
        ]


def a_server(patch: pytest.MonkeyPatch) -> Server:
    """One that the product reads, with its clock."""
    server = Server()
    for module in (followed_fleet, snapshot):
        patch.setattr(module, "Cluster", lambda _: server)
        patch.setattr(module, "time", server)
    snapshot.invalidate()
    return server


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    server = a_server(monkeypatch)
    for name in NAMES:
        server.node(name)
        server.report(name, "1")
    yield server
    snapshot.invalidate()


def followed(server: Server, *, dra: bool = False) -> FollowedFleet:
    fleet = FollowedFleet({}, "mig-fleet", dra)
    fleet.observe()
    fleet.take_changes(1)
    fleet.observe()
    assert server.full == 2, "at first, and as there is a wait"
    server.full = 1
    return fleet


@pytest.fixture
def fleet(server: Server) -> FollowedFleet:
    """One that is followed by now."""
    return followed(server)


def read(server: Server) -> dict[str, Node]:
    """A full reading now."""
    before = server.full
    found = snapshot.observe({}, "mig-fleet", fresh=True).nodes
    server.full = before
    return dict(found)


ACTS = st.one_of(
    st.tuples(st.just("node"), st.sampled_from(NAMES), st.sampled_from(["a", "b"])),
    st.tuples(st.just("report"), st.sampled_from(NAMES), st.sampled_from(["1", "2"])),
    st.tuples(st.just("no node"), st.sampled_from(NAMES), st.just("")),
    st.tuples(st.just("no report"), st.sampled_from(NAMES), st.just("")),
    st.tuples(st.just("broken report"), st.sampled_from(NAMES), st.just("")),
    st.tuples(st.just("look"), st.just(""), st.just("")),
)


@settings(deadline=None)
@given(st.lists(ACTS, max_size=25))
def test_whatever_changes_it_shows_what_a_full_reading_shows(acts: list[tuple[str, str, str]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        server = a_server(patch)
        fleet = followed(server)
        for act, name, value in (*acts, ("look", "", "")):
            match act:
                case "node":
                    server.node(name, **{labels.CONFIG: value})
                case "report":
                    server.report(name, value)
                case "no node":
                    server.put(NODES, name, None)
                case "no report":
                    server.put(REPORTS, labels.REPORT_PREFIX + name, None)
                case "broken report":
                    server.put(REPORTS, labels.REPORT_PREFIX + name, {"metadata": {}, "data": {}})
                case _:
                    fleet.take_changes(1)
                    assert fleet.observe().nodes == read(server)
        assert server.full == 1


def test_only_what_changed_is_read_again(server: Server, fleet: FollowedFleet) -> None:
    for number in range(5):
        server.node("n1", **{labels.STATE: str(number)})
        server.report("n2", str(number))
        fleet.take_changes(1)
        seen = fleet.observe().nodes
        assert (seen["n1"].state, seen["n2"].report.driver_version if seen["n2"].report else "") == (str(number),) * 2
    assert server.full == 1
    assert server.asked[0] == ["7", "7"], "the moment of the full reading"
    assert server.asked[-1] == ["14", "15"], "the last event of each collection"


def test_what_the_dra_driver_publishes_is_followed_where_it_is_needed(server: Server) -> None:
    fleet = followed(server, dra=True)
    assert [it.published for it in fleet.observe().nodes.values()] == [NOTHING] * len(NAMES)
    for devices in (("gpu-0",), ("gpu-0", "gpu-1"), ()):
        server.publish("n1", *devices)
        server.node("n2", **{labels.STATE: str(len(devices))})
        fleet.take_changes(1)
        seen = fleet.observe().nodes
        assert seen == snapshot.observe({}, "mig-fleet", fresh=True, dra=True).nodes
        assert seen["n1"].published is not None
        assert sorted(device.name for device in seen["n1"].published.devices) == sorted(devices)
        server.full = 1
    assert all(len(versions) == 3 for versions in server.asked)


def test_without_dra_no_resource_slice_is_requested(server: Server, fleet: FollowedFleet) -> None:
    server.publish("n1", "gpu-0")
    fleet.take_changes(1)
    assert fleet.observe().nodes["n1"].published is None
    assert all(len(versions) == 2 for versions in server.asked)


def test_now_and_then_it_is_read_in_full(server: Server, fleet: FollowedFleet) -> None:
    for _ in range(40):
        fleet.take_changes(1)
        fleet.observe()
    assert server.full == 1 + 40 // (FULL_EVERY_S + 1)


def gone(server: Server) -> None:
    status = {"kind": "Status", "code": 410, "message": "too old resource version"}
    server.extra = json.dumps({"type": "ERROR", "object": status}).encode() + b"\n"


def no_right(server: Server) -> None:
    server.failure = Forbidden("the cluster refuses GET /api/v1/nodes: no right to watch")


def unreachable(server: Server) -> None:
    server.failure = ClusterUnreachable("the cluster does not answer")


def half_a_line(server: Server) -> None:
    server.extra = b'{"type": "MODIFIED", "object": {"metadata": {"na'


def no_node(server: Server) -> None:
    server.extra = b'{"type": "MODIFIED", "object": {"metadata": {"name": 7, "resourceVersion": "9"}}}\n'


def a_login_page(server: Server) -> None:
    server.extra = b"<html>\n"


@pytest.mark.parametrize("breaks", [gone, no_right, unreachable, half_a_line, no_node, a_login_page])
def test_where_changes_cannot_be_had_it_reads_in_full_each_time(
    server: Server, fleet: FollowedFleet, breaks: Callable[[Server], None]
) -> None:
    breaks(server)
    for number in range(1, 4):
        server.node("n1", **{labels.STATE: str(number)})
        fleet.take_changes(1)
        assert fleet.observe().nodes["n1"].state == str(number)
    assert server.full == 4


def test_changes_of_less_than_a_second_are_not_requested(server: Server, fleet: FollowedFleet) -> None:
    """The API server takes `timeoutSeconds=0` for a watch without an end."""
    fleet.take_changes(0)
    fleet.observe()
    assert server.full == 2 and server.asked == []


def test_after_our_own_write_it_is_read_in_full(server: Server, fleet: FollowedFleet) -> None:
    fleet.forget()
    fleet.take_changes(1)
    fleet.observe()
    assert server.full == 2 and server.asked == []


def test_a_change_during_the_full_reading_is_not_lost(
    server: Server, fleet: FollowedFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The nodes have been listed, and the reports have not."""
    listed = server.read_items

    def read_items(path: str, *arguments: Any) -> Any:
        found = listed(path, *arguments)
        if path == NODES:
            server.node("n1", **{labels.STATE: "success"})
        return found

    monkeypatch.setattr(server, "read_items", read_items)
    fleet.forget()
    fleet.observe()
    fleet.take_changes(1)
    assert fleet.observe().nodes["n1"].state == "success"

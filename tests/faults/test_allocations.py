"""Probes that run as they do on nodes: each report says which pod has which slice, or why it is not known."""

from collections.abc import Callable, Iterator

import pytest

from mig_fleet.model.allocation import Allocation
from mig_fleet.model.report import Report
from mig_fleet.simulator import Fault
from tests.faults.scenario import Scenario

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

NODE = "node-1"
SLICE = "nvidia.com/mig-1g.10gb"


@pytest.fixture
def pods(scenario: Scenario) -> Iterator[Scenario]:
    """The fleet; users' pods and faults are removed after the test."""
    reported(scenario, lambda report: report.allocations == ())
    yield scenario
    for namespace in ("default", "team-a"):
        scenario.fleet.user_pods.clear(namespace)
    scenario.fleet.clear_faults(NODE)


def reported(pods: Scenario, is_so: Callable[[Report], object]) -> Report:
    """The first report of the node that is as expected."""
    found: list[Report] = []

    def check(report: Report | None) -> bool:
        found[:] = [] if report is None else [report]
        return report is not None and bool(is_so(report))

    pods.eventually(lambda seen: check(seen.nodes[NODE].report), "the probe has reported it")
    return found[0]


def test_a_pods_slices_are_in_the_report_until_it_ends(pods: Scenario) -> None:
    before = reported(pods, lambda report: report.allocations == ())
    pods.fleet.run_pod(NODE, {SLICE: 2}, name="notebook", namespace="team-a")
    report = reported(pods, lambda report: report.allocations)
    clients = [
        (gpu.index, client.instance)
        for gpu in pods.fleet.driver(NODE).gpus
        for client in gpu.clients
        if client.name == "team-a/notebook"
    ]
    assert report.allocations == tuple(Allocation("team-a", "notebook", SLICE, *each, 0) for each in sorted(clients))
    assert (report.gpus, report.errors, report.allocations_error) == (before.gpus, (), "")
    pods.fleet.user_pods.clear("team-a")
    assert reported(pods, lambda report: report.allocations == ()) == before, "an unchanged node, an unchanged report"


def test_device_ids_that_do_not_exist_are_reported_as_unknown_devices(pods: Scenario) -> None:
    pods.fleet.inject(NODE, Fault.POD_RESOURCES_STALE)
    pods.fleet.run_pod(NODE, {SLICE: 1}, name="notebook")
    report = reported(pods, lambda report: report.allocations)
    assert report.allocations == (Allocation("default", "notebook", SLICE, None, None, None),)


def test_a_pod_that_is_gone_is_reported_as_the_kubelet_lists_it(pods: Scenario) -> None:
    pods.fleet.inject(NODE, Fault.POD_RESOURCES_GONE_PODS)
    pods.fleet.run_pod(NODE, {SLICE: 1}, name="first")
    pods.fleet.user_pods.clear()
    pods.fleet.run_pod(NODE, {SLICE: 1}, name="second")
    later = reported(pods, lambda report: len(report.allocations or ()) == 2)
    assert {each.pod for each in later.allocations or ()} == {"first", "second"}


def test_a_kubelet_that_does_not_answer_leaves_the_report_whole(pods: Scenario) -> None:
    before = reported(pods, lambda report: report.allocations == ())
    pods.fleet.inject(NODE, Fault.POD_RESOURCES_SILENT)
    report = reported(pods, lambda report: report.allocations is None)
    assert report.allocations_error.endswith("/kubelet.sock: no answer within 2 s")
    assert (report.gpus, report.errors, report.config) == (before.gpus, (), before.config)

"""The simulated kubelet's PodResources API, read by gRPC's own client and by the probe."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mig_fleet.model.allocation import Allocation
from mig_fleet.probe.device_ids import DeviceIds
from mig_fleet.probe.pod_resources import Kubelet
from mig_fleet.simulator import Fault
from mig_fleet.simulator.node.allocation import Devices
from mig_fleet.simulator.node.pod import Pod
from mig_fleet.simulator.node.pod_resources import PodDevices, PodResources
from mig_fleet.simulator.node.pod_resources_server import encode, served
from tests.probe.kubelet_api import CLASSES, SERVICE

ROOT = Path(__file__).parents[2]
SLICE = "nvidia.com/mig-1g.10gb"
POD = PodDevices("default", "p", "main", (("nvidia.com/gpu", "GPU-1"), (SLICE, "MIG-1"), (SLICE, "MIG-2")))
IDS = DeviceIds({"MIG-1": (0, 7, 0), "MIG-2": (0, 8, 0), "GPU-1": (1, None, None)})

GRPC_CLIENT = f"""
import grpc, sys
with grpc.insecure_channel("unix:" + sys.argv[1]) as channel:
    for method in ("List", "Get"):
        try:
            print(channel.unary_unary("/{SERVICE}/" + method)(b"", timeout=20).hex())
        except grpc.RpcError as exc:
            print(exc.code().name)
"""


def listing(*faults: Fault) -> tuple[PodResources, set[Fault]]:
    active = set(faults)
    return PodResources(lambda: frozenset(active)), active


def a_pod(name: str = "p") -> Pod:
    return Pod(
        {"metadata": {"uid": name, "name": name, "namespace": "default"}, "spec": {"containers": [{"name": "c"}]}}
    )


def serve(pods: tuple[PodDevices, ...] | None, client: Callable[[Path], object]) -> object:
    """What a client returns that calls the API in a thread."""

    async def run() -> object:
        async with served(lambda: pods) as folder:
            return await asyncio.to_thread(client, folder)

    return asyncio.run(run())


def test_googles_runtime_reads_the_list() -> None:
    (pod, empty) = (
        CLASSES["ListPodResourcesResponse"].FromString(encode((POD, PodDevices("a", "b", "c", ())))).pod_resources
    )
    assert (pod.namespace, pod.name, pod.containers[0].name) == ("default", "p", "main")
    assert {group.resource_name: list(group.device_ids) for group in pod.containers[0].devices} == {
        "nvidia.com/gpu": ["GPU-1"],
        SLICE: ["MIG-1", "MIG-2"],
    }
    assert (empty.name, list(empty.containers[0].devices)) == ("b", [])


def test_grpcs_own_client_gets_the_list_and_an_unknown_method_is_refused() -> None:
    many = tuple(PodDevices("default", f"pod-{number}", "main", POD.devices) for number in range(2000))

    def client(folder: Path) -> list[str]:
        command = [sys.executable, "-c", GRPC_CLIENT, f"{folder}/kubelet.sock"]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()

    assert len(encode(many)) > 2 * 65535, "more than the first window of HTTP/2"
    assert serve(many, client) == [encode(many).hex(), "UNIMPLEMENTED"]


def test_the_probe_reads_the_list() -> None:
    assert serve((POD,), lambda folder: Kubelet(folder).allocations(IDS)) == (
        (
            Allocation("default", "p", SLICE, 0, 7, 0),
            Allocation("default", "p", SLICE, 0, 8, 0),
            Allocation("default", "p", "nvidia.com/gpu", 1, None, None),
        ),
        "",
    )


def test_a_pod_is_listed_while_it_has_its_devices() -> None:
    found, _ = listing()
    devices: Devices = ((SLICE, "MIG-1"),)
    with found.recorded(a_pod(), devices):
        assert found.list() == (PodDevices("default", "p", "c", devices),)
    assert found.list() == ()


def test_a_pod_that_is_gone_stays_in_the_list_until_the_fault_is_cleared() -> None:
    found, active = listing(Fault.POD_RESOURCES_GONE_PODS)
    with found.recorded(a_pod(), ((SLICE, "MIG-1"),)):
        assert [pod.name for pod in found.list() or ()] == ["p"]
    with found.recorded(a_pod("q"), ((SLICE, "MIG-1"),)):
        assert [pod.name for pod in found.list() or ()] == ["q", "p"]
    active.clear()
    assert found.list() == ()


def test_stale_device_ids_are_the_same_in_each_answer_and_no_devices() -> None:
    found, _ = listing(Fault.POD_RESOURCES_STALE)
    with found.recorded(a_pod(), ((SLICE, "MIG-1"),)):
        assert found.list() == found.list()
        ((_, device_id),) = (found.list() or ())[0].devices
    assert device_id.startswith("MIG-") and device_id != "MIG-1"


def test_a_silent_kubelet_accepts_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mig_fleet.probe.pod_resources.TIMEOUT_S", 0.3)
    found, _ = listing(Fault.POD_RESOURCES_SILENT)
    assert found.list() is None
    answer = serve(None, lambda folder: Kubelet(folder).allocations(IDS)[1])
    assert str(answer).endswith("kubelet.sock: no answer within 0.3 s")

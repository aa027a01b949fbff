"""NVIDIA's DRA driver and the simulator's, on the same nodes: every device with all attributes and capacities.

The real API server has the ResourceSlices. Most nodes have none when the driver starts; every fifth one has that of
another case.
"""

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

import pytest

from mig_fleet.cluster.client import Cluster
from mig_fleet.model import gpus
from mig_fleet.model.dra import DraDevice, dynamic_devices
from mig_fleet.observed.dra.objects import RESOURCE_SLICES
from mig_fleet.observed.dra.resource_slices import ResourceSlices
from mig_fleet.simulator import Fleet
from mig_fleet.simulator.genuine import dra_plugin
from mig_fleet.simulator.operands import dra_devices
from mig_fleet.simulator.operands.dra_devices import DraPluginError
from mig_fleet.simulator.polling import wait_until
from tests.conformance.dra_cases import CASES, Case
from tests.conformance.dra_process import Running, running
from tests.conformance.records import DRA_DRIVER, count_case
from tests.conftest import ADriver
from tests.own_fleet import own_fleet_in

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(1800), pytest.mark.xdist_group("dra")]

NODES: Final = tuple(f"n{number}" for number in range(6))
FILE: Final = "probe: inProcess\nnodes:\n" + "".join(f"- {{name: {name}, gpu: H100-80GB, gpus: 1}}\n" for name in NODES)
WITHIN_S: Final = 30.0


@dataclass(frozen=True)
class Outcome:
    """The published devices by name, or the text with which the driver ended."""

    devices: dict[str, Any]
    error: str
    seconds: float


def simulated(case: Case) -> tuple[dict[str, Any], str]:
    try:
        return by_name(dra_devices.devices(case.driver)), ""
    except DraPluginError as exc:
        return {}, str(exc)


def by_name(devices: list[dict[str, Any]]) -> dict[str, Any]:
    return {device["name"]: device for device in devices}


@dataclass(frozen=True)
class Site:
    """A control plane with nodes on which nothing runs."""

    fleet: Fleet
    program: Path
    nvml: Path

    def slices(self, node: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.fleet.call("get", RESOURCE_SLICES, fieldSelector=f"spec.nodeName={node}")[
            "items"
        ]
        return items

    def delete_slices(self, node: str) -> None:
        for item in self.slices(node):
            self.fleet.call("delete", f"{RESOURCE_SLICES}/{item['metadata']['name']}")

    def running(self, node: str, variables: Mapping[str, str] | None = None) -> AbstractContextManager[Running]:
        """NVIDIA's driver on a node, until the end of the ``with`` block."""
        file = self.fleet.driver_file(node)
        return running(self.program, node, file, self.nvml, self.fleet.kubeconfig, variables)

    def run(self, case: Case, node: str) -> Outcome:
        """Start the driver, and stop it as soon as it has published what the simulator would, or has ended."""
        if case.number != 1:
            self.delete_slices(node)
        start = time.monotonic()
        self.fleet.driver_file(node).write(case.driver)
        (expected, _), found = simulated(case), dict[str, Any]()
        with self.running(node) as driver:
            while not driver.has_ended and time.monotonic() - start < WITHIN_S:
                time.sleep(0.2)
                slices = self.slices(node)
                found = by_name([device for item in slices for device in item["spec"].get("devices") or []])
                if slices and found == expected:
                    break
            ended, text = driver.has_ended, driver.log.read_text()
        return Outcome({} if ended else found, text if ended else "", time.monotonic() - start)


@pytest.fixture(scope="module")
def site(
    namespaces: None, programs: Path, nvml_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    with own_fleet_in(tmp_path_factory.mktemp("fleet"), programs, FILE) as fleet:
        yield Site(fleet, programs / dra_plugin.PROGRAM, nvml_folder)


@pytest.fixture(scope="module")
def outcomes(site: Site) -> dict[Case, Outcome]:
    """Of all cases; six nodes at a time."""
    free = SimpleQueue[str]()
    for name in NODES:
        free.put(name)

    def run(case: Case) -> Outcome:
        node = free.get()
        try:
            return site.run(case, node)
        finally:
            free.put(node)

    with ThreadPoolExecutor(len(NODES)) as executor:
        return dict(zip(CASES, executor.map(run, CASES), strict=True))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_dra_driver_publishes_what_the_simulator_publishes(case: Case, outcomes: dict[Case, Outcome]) -> None:
    found, (devices, error) = outcomes[case], simulated(case)
    agrees = found.devices == devices and (error in found.error if error else not found.error)
    count_case(DRA_DRIVER, agrees=agrees, seconds=found.seconds)
    assert not found.error or error in found.error
    assert found.devices == devices
    assert bool(found.error) == bool(error)


def test_devices_of_dynamic_mig_are_recognized(site: Site, a_driver: ADriver) -> None:
    """With this feature the driver would destroy every slice: a fleet that has such devices is refused."""
    node = NODES[0]
    site.delete_slices(node)
    site.fleet.driver_file(node).write(a_driver(gpus=2, mig=False))
    cluster = Cluster({"kubeconfig": str(site.fleet.kubeconfig)})

    def found() -> tuple[DraDevice, ...]:
        publication = ResourceSlices.read(cluster).of_nodes([node])[node]
        return publication.devices if publication.is_complete else ()

    with site.running(node, {"FEATURE_GATES": "DynamicMIG=true"}):
        devices = wait_until(found, "the driver has published")
    starts = sum(len(profile.starts) for profile in gpus.find("H100-80GB").profiles.values())
    assert len(dynamic_devices(devices)) == 2 * starts, "each place of each profile"
    assert len(devices) == 2 * (starts + 1)


def test_some_cases_have_whole_gpus_some_have_slices_and_some_end_the_driver() -> None:
    """Or the comparison would show little."""
    published = [simulated(case) for case in CASES]
    kinds = {device["attributes"]["type"]["string"] for devices, _ in published for device in devices.values()}
    assert kinds == {"gpu", "mig"}
    assert sum(bool(error) for _, error in published) >= 5
    assert sum(len(devices) for devices, _ in published) >= 500

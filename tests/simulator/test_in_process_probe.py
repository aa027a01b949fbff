"""The in-process probe writes the same reports as the real probe, in the same way."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mig_fleet.model import labels
from mig_fleet.model.report import Report
from mig_fleet.probe.watch import config_map
from mig_fleet.simulator import Fault
from mig_fleet.simulator.driver import DriverFile
from mig_fleet.simulator.driver.library import reading
from mig_fleet.simulator.operands import in_process_probe
from tests.conftest import ADriver
from tests.own_fleet import own_fleet_in
from tests.simulator.site import NAMESPACE, Site, daemon_set

NODES = 12


def real_report(file: DriverFile, nvml_folder: Path, *options: str) -> Report:
    environment = {**os.environ, **reading(nvml_folder, file)}
    command = [sys.executable, "-m", "mig_fleet.probe", "read", "--node", "a-node", *options]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    return Report.from_json(result.stdout)


@pytest.mark.parametrize(
    ("gpu", "profiles", "mig"),
    [
        ("H100-80GB", ("3g.40gb", "2g.20gb", "1g.10gb+me", "1g.10gb"), True),
        ("A100-80GB", ("7g.80gb",), True),
        ("A30-24GB", ("1g.6gb", "2g.12gb"), True),
        ("H200-141GB", (), True),
        ("H100-80GB", (), False),
    ],
)
def test_it_reports_what_the_real_probe_reads_from_nvml(
    a_driver: ADriver, nvml_folder: Path, tmp_path: Path, gpu: str, profiles: tuple[str, ...], mig: bool
) -> None:
    file = DriverFile(tmp_path / "driver")
    file.write(a_driver(*profiles, gpu=gpu, gpus=2, mig=mig))
    assert in_process_probe.read("a-node", file.read(), {}, {}) == real_report(file, nvml_folder)


def test_it_reports_compute_instances_and_a_pending_mode_like_the_real_probe(
    a_driver: ADriver, nvml_folder: Path, tmp_path: Path
) -> None:
    driver = a_driver("1g.10gb", gpus=2)
    driver.gpus[0].split(driver.gpus[0].create("3g.40gb", 1).id, 2)
    driver.gpus[1].pending = False
    file = DriverFile(tmp_path / "driver")
    file.write(driver)
    assert in_process_probe.read("a-node", file.read(), {}, {}) == real_report(file, nvml_folder)
    with_uuids = in_process_probe.read("a-node", file.read(), {}, {}, mig_uuids=True)
    assert with_uuids == real_report(file, nvml_folder, "--mig-uuids")


@pytest.fixture(scope="module")
def large(binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A dozen nodes with the settings of a fleet of hundreds."""
    nodes = [{"name": f"node-{number:02}", "gpu": "H100-80GB", "gpus": 2} for number in range(NODES)]
    timing = {"gfdInterval": 0.3, "operandTimeout": 20}
    text = json.dumps({"probe": "inProcess", "timing": timing, "nodes": nodes})
    probe = daemon_set(labels.PROBE, "mig-manager")
    pod = probe["spec"]["template"]
    pod["metadata"]["labels"]["app.kubernetes.io/name"] = labels.PROBE
    command = ["python", "mig-probe.pyz", "watch", "--interval", "0.5", "--pod-resources", "/kubelet"]
    pod["spec"]["containers"][0]["command"] = command
    with own_fleet_in(tmp_path_factory.mktemp("large-fleet"), binaries, text) as fleet:
        site = Site(fleet)
        site.install()
        site.create(f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets", probe)
        yield site


def reports(site: Site) -> dict[str, Report]:
    path = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
    found = site.fleet.call("get", path, labelSelector=f"{labels.REPORT_LABEL}=true")["items"]
    return {item["metadata"]["name"]: Report.from_json(item["data"][labels.REPORT_KEY]) for item in found}


@pytest.mark.engine
def test_every_node_of_a_large_fleet_reports_its_new_slices(large: Site) -> None:
    for node in large.fleet.node_names():
        large.patch_labels(node, {labels.CONFIG: "dense", labels.STATE: None})
    full = tuple({"1g.10gb": 7} for _ in range(2))

    def all_agree() -> bool:
        found = reports(large).values()
        return len(found) == NODES and all(r.counts() == full and r.config == "dense" for r in found)

    large.eventually(all_agree, "every node has reported its slices")
    name = f"{labels.REPORT_PREFIX}node-00"
    written = large.fleet.call("get", f"/api/v1/namespaces/{NAMESPACE}/configmaps/{name}")
    expected = config_map(large.node("node-00"), reports(large)[name])
    for key in ("labels", "ownerReferences"):
        assert written["metadata"][key] == expected["metadata"][key]
    assert written["data"] == expected["data"]
    assert set(written["metadata"]["annotations"]) == set(expected["metadata"]["annotations"])
    assert labels.PROBE in {entry["manager"] for entry in written["metadata"]["managedFields"]}
    assert not list((large.fleet.directory / "nodes").glob("*/pods/*")), "no probe has its own process"


@pytest.mark.engine
def test_it_reports_which_pod_has_which_gpu_and_the_faults_of_the_kubelet(large: Site) -> None:
    node, name = "node-02", f"{labels.REPORT_PREFIX}node-02"
    large.eventually(lambda: large.offered(node), "the node offers GPUs")
    (resource, *_) = large.offered(node)
    pod = large.fleet.run_pod(node, {resource: 1}, name="in-process")
    large.eventually(lambda: reports(large)[name].allocations, "the report has the pod")
    (found,) = reports(large)[name].allocations or ()
    assert (found.namespace, found.pod, found.resource, found.gpu) == ("default", pod, resource, 0)
    assert (found.gpu_instance_id is None) == (resource == "nvidia.com/gpu")
    large.fleet.inject(node, Fault.POD_RESOURCES_STALE)
    large.eventually(
        lambda: [it.gpu for it in reports(large)[name].allocations or ()] == [None], "its device is unknown"
    )
    large.fleet.inject(node, Fault.POD_RESOURCES_SILENT)
    large.eventually(lambda: reports(large)[name].allocations is None, "the allocations are not known")
    assert "no answer within 2 s" in reports(large)[name].allocations_error
    large.fleet.clear_faults(node)
    large.fleet.user_pods.clear()
    large.eventually(lambda: reports(large)[name].allocations == (), "no pod has a GPU")


@pytest.mark.engine
def test_its_faults_are_those_of_the_real_probe(large: Site) -> None:
    name = f"{labels.REPORT_PREFIX}node-01"
    large.eventually(lambda: name in reports(large), "the node has a report")
    large.fleet.inject("node-01", Fault.PROBE_NVML_ERROR)
    large.eventually(lambda: reports(large)[name].errors, "the report has an error of NVML")
    assert reports(large)[name] == replace(reports(large)[name], gpus=())
    large.fleet.inject("node-01", Fault.PROBE_DEAD)
    large.eventually(lambda: "CrashLoopBackOff" in str(large.pods(labels.PROBE, "node-01")), "its pod crashes")
    large.fleet.clear_faults("node-01")
    large.eventually(lambda: not reports(large)[name].errors, "it reports without errors again")

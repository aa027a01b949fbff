"""The probe without a process of its own says what the real one says, and writes it where and as the real one does."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from mig_fleet.model import labels
from mig_fleet.model.report import Report
from mig_fleet.probe.watch import config_map
from mig_fleet.simulator import Fault, Fleet
from mig_fleet.simulator.driver import DriverFile
from mig_fleet.simulator.driver.library import STATE_VARIABLE
from mig_fleet.simulator.node import played_probe
from tests.simulator.site import NAMESPACE, Site, daemon_set

NODES = 12


def by_the_real_probe(file: DriverFile, nvml_folder: Path) -> Report:
    environment = {**os.environ, "LD_LIBRARY_PATH": str(nvml_folder), STATE_VARIABLE: str(file.path)}
    command = [sys.executable, "-m", "mig_fleet.probe", "read", "--node", "a-node"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    return Report.from_json(done.stdout)


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
def test_it_reads_what_the_real_probe_reads_through_nvml(a_driver, nvml_folder, tmp_path, gpu, profiles, mig):
    file = DriverFile(tmp_path / "driver")
    file.write(a_driver(*profiles, gpu=gpu, gpus=2, mig=mig))
    node = SimpleNamespace(name="a-node", labels={}, annotations={}, driver=file.read())
    assert played_probe.read(node) == by_the_real_probe(file, nvml_folder)


def test_a_split_slice_and_a_pending_mode_are_read_alike_too(a_driver, nvml_folder, tmp_path):
    driver = a_driver("1g.10gb", gpus=2)
    driver.gpus[0].split(driver.gpus[0].create("3g.40gb", 1).id, 2)
    driver.gpus[1].pending = False
    file = DriverFile(tmp_path / "driver")
    file.write(driver)
    node = SimpleNamespace(name="a-node", labels={}, annotations={}, driver=file.read())
    assert played_probe.read(node) == by_the_real_probe(file, nvml_folder)


@pytest.fixture(scope="module")
def large(binaries: Path, tmp_path_factory: pytest.TempPathFactory):
    """A dozen nodes, as a fleet of hundreds would be run."""
    folder = tmp_path_factory.mktemp("large-fleet")
    file = folder / "fleet-file.yaml"
    nodes = [{"name": f"node-{number:02}", "gpu": "H100-80GB", "gpus": 2} for number in range(NODES)]
    timing = {"gfdInterval": 0.3, "operandTimeout": 20}
    file.write_text(json.dumps({"probe": "inProcess", "timing": timing, "nodes": nodes}))
    fleet = Fleet(folder / "fleet")
    fleet.up(binaries, file, attached=True)
    site = Site(fleet)
    site.install()
    probe = daemon_set(labels.PROBE, "mig-manager")
    pod = probe["spec"]["template"]
    pod["metadata"]["labels"]["app.kubernetes.io/name"] = labels.PROBE
    pod["spec"]["containers"][0]["command"] = ["python", "mig-probe.pyz", "watch", "--interval", "0.5"]
    site.create(f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets", probe)
    yield site
    fleet.down()


def reports(site: Site) -> dict[str, Report]:
    path = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
    found = site.fleet.call("get", path, labelSelector=f"{labels.REPORT_LABEL}=true")["items"]
    return {item["metadata"]["name"]: Report.from_json(item["data"][labels.REPORT_KEY]) for item in found}


@pytest.mark.engine
def test_every_node_of_a_large_fleet_reports_what_it_became(large):
    for node in large.fleet.node_names():
        large.patch_labels(node, {labels.CONFIG: "dense", labels.STATE: None})
    full = tuple({"1g.10gb": 7} for _ in range(2))

    def all_agree() -> bool:
        said = reports(large).values()
        return len(said) == NODES and all(r.counts() == full and r.config == "dense" for r in said)

    large.eventually(all_agree, "every node has reported its slices")
    name = f"{labels.REPORT_PREFIX}node-00"
    written = large.fleet.call("get", f"/api/v1/namespaces/{NAMESPACE}/configmaps/{name}")
    wanted = config_map(large.node("node-00"), reports(large)[name])
    for place in ("labels", "ownerReferences"):
        assert written["metadata"][place] == wanted["metadata"][place]
    assert written["data"] == wanted["data"]
    assert set(written["metadata"]["annotations"]) == set(wanted["metadata"]["annotations"])
    assert labels.PROBE in {entry["manager"] for entry in written["metadata"]["managedFields"]}
    assert not list((large.fleet.directory / "nodes").glob("*/pods/*")), "no probe has a process"


@pytest.mark.engine
def test_its_bad_days_are_the_real_ones_too(large):
    name = f"{labels.REPORT_PREFIX}node-01"
    large.eventually(lambda: name in reports(large), "it has reported")
    large.fleet.inject("node-01", Fault.PROBE_NVML_ERROR)
    large.eventually(lambda: reports(large)[name].errors, "an error of NVML is in the report")
    assert reports(large)[name] == replace(reports(large)[name], gpus=())
    large.fleet.inject("node-01", Fault.PROBE_DEAD)
    large.eventually(lambda: "CrashLoopBackOff" in str(large.pods(labels.PROBE, "node-01")), "its pod is restarted")
    large.fleet.heal("node-01")
    large.eventually(lambda: not reports(large)[name].errors, "it reads and reports again")

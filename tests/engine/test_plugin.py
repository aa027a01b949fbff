"""A fleet from a program in YAML: the plugin serves the providers that a Python program has as dynamic ones."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from mig_fleet.model.resource_types import KINDS, served_type
from mig_fleet.simulator import Fault, Fleet
from tests.engine.yaml_program import RESOURCE, YamlProgram, create
from tests.own_fleet import own_fleet_in

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]

FIRST, SECOND = "gpu-node-1", "gpu-node-2"
NODES = json.dumps({"nodes": [{"name": name, "gpu": "H100-80GB", "gpus": 8} for name in (FIRST, SECOND)]})


@pytest.fixture(scope="module")
def own_fleet(binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two nodes, in a cluster that no other stack owns."""
    with own_fleet_in(tmp_path_factory.mktemp("served"), binaries, NODES) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def program(own_fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> YamlProgram:
    """Two pools with a node each; the tests follow each other, as an operator's commands do."""
    program = create(tmp_path_factory.mktemp("yaml"), own_fleet)
    program.config["pools"] = {name: program.pools[name] for name in ("inference", "mixed")}
    del program.config["operator"]["repository"]
    return program


def test_a_preview_of_a_mistake_names_the_property_and_registers_nothing(program: YamlProgram) -> None:
    correct = program.layouts["inference-dense"]
    program.layouts["inference-dense"] = {"gpu": "H100-80GB", "all": {"3g.40gb": 3}}
    refused = program.preview()
    program.layouts["inference-dense"] = correct
    assert refused.status != 0
    assert "layouts.inference-dense: impossible on H100-80GB: 3g.40gb" in refused.diagnostics, refused.text
    assert "Traceback" not in refused and 'File "' not in refused, refused.text


def test_an_update_creates_the_fleet_and_a_second_one_changes_nothing(program: YamlProgram) -> None:
    created = program.up()
    assert created.status == 0, created.text
    assert program.slices()[FIRST] == {"0-7": "7x 1g.10gb"}
    assert program.slices()[SECOND] == program.reported_slices(SECOND)
    unchanged = program.preview("--expect-no-changes")
    assert unchanged.status == 0, unchanged.text


def test_the_state_has_types_of_the_plugin_one_provider_of_it_and_no_credentials(program: YamlProgram) -> None:
    resources = program.state()
    kinds = {each["type"] for each in resources}
    assert {served_type(kind) for kind in KINDS} <= kinds
    assert not any(kind.startswith("pulumi-python:") for kind in kinds)
    assert len([each for each in resources if each["type"] == "pulumi:providers:mig-fleet"]) == 1
    users = yaml.safe_load(program.fleet.kubeconfig.read_text())["users"]
    credentials = [text for user in users for text in user["user"].values() if isinstance(text, str)]
    assert credentials and not any(text in json.dumps(resources) for text in credentials)


def test_drift_is_in_a_plain_preview_and_the_next_update_heals_it(program: YamlProgram) -> None:
    program.fleet.destroy_slice(FIRST, gpu=0, start=3)
    program.wait_for_report(FIRST, {"0": "6x 1g.10gb", "1-7": "7x 1g.10gb"})
    seen = program.preview("--diff")
    assert f"slice missing: {FIRST}: GPU 0: expected 7x 1g.10gb, found 6x 1g.10gb" in seen, seen.text
    healed = program.run("up", "--yes")  # a preview and an update in one command
    assert healed.status == 0, healed.text
    assert program.reported_slices(FIRST) == {"0-7": "7x 1g.10gb"}
    assert program.preview("--expect-no-changes").status == 0


def test_a_wave_that_fails_stops_its_pool_and_the_other_one_goes_on(program: YamlProgram) -> None:
    program.layouts["inference-dense"]["all"] = {"2g.20gb": 3}
    program.layouts["mixed-strategy"]["all"] = {"7g.80gb": 1}
    program.pools["inference"]["rollout"] = {"timeout": "1m"}
    program.fleet.inject(FIRST, Fault.MANAGER_FAILS)
    failed = program.up("--continue-on-error")
    program.fleet.clear_faults(FIRST)
    assert failed.status != 0
    assert f"{RESOURCE}-inference-wave-0" in failed.text and f"MIG Manager failed: {FIRST}" in failed.diagnostics
    assert "Traceback" not in failed and 'File "' not in failed, failed.text
    assert program.reported_slices(SECOND) == {"0-7": "7g.80gb"}, failed.text
    repaired = program.up()
    assert repaired.status == 0, repaired.text
    assert program.reported_slices(FIRST) == {"0-7": "3x 2g.20gb"}


def test_a_destroy_removes_everything(program: YamlProgram) -> None:
    destroyed = program.destroy()
    assert destroyed.status == 0, destroyed.text
    assert program.state() == []
    assert program.cluster.config_map("gpu-operator", "mig-fleet-layouts") is None

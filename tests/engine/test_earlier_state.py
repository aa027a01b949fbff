"""The engine finds no difference between a state of an earlier release and the same stack; the next update of a wave
gives it the new shape.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from mig_fleet.model.reported_slices import by_node
from mig_fleet.model.resource_types import VERIFICATIONS, WAVES
from mig_fleet.model.wave_nodes import node_names, without_names
from tests.engine.deployment import Deployment

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]


def waves(project: Deployment) -> list[dict[str, Any]]:
    """The resources of all waves in the state."""
    exported = json.loads(project.run("stack", "export").text)
    return [each for each in exported["deployment"]["resources"] if each["type"] in WAVES]


def store_as_earlier_release(project: Deployment, file: Path) -> None:
    """Nodes as a list, slices by node, in inputs and outputs."""
    exported = json.loads(project.run("stack", "export").text)
    for each in exported["deployment"]["resources"]:
        if each["type"] in WAVES:
            each |= {side: _earlier(each[side]) for side in ("inputs", "outputs")}
    file.write_text(json.dumps(exported))
    imported = project.run("stack", "import", "--file", str(file))
    assert imported.status == 0, imported.text


def _earlier(props: dict[str, Any]) -> dict[str, Any]:
    found = {**without_names(props), "nodes": [*node_names(props)]}
    return {**found, "slices": by_node({"reported": found.pop("reported")})} if "reported" in found else found


def test_a_state_of_an_earlier_release_shows_no_change_and_is_renewed_by_the_next_one(
    deployed: Deployment, tmp_path: Path
) -> None:
    deployed.prune()
    slices = deployed.slices()
    store_as_earlier_release(deployed, tmp_path / "state.json")
    assert all("nodes" in each["outputs"] for each in waves(deployed))
    for outcome in (deployed.preview("--expect-no-changes"), deployed.up("--expect-no-changes")):
        assert outcome.status == 0, outcome.text
    assert deployed.slices() == slices, "the stack's outputs have the same shape from either state"
    deployed.pools["inference"]["rollout"] = {"timeout": "59m"}
    updated = deployed.up()
    assert updated.status == 0, updated.text
    (changed,) = [each for each in waves(deployed) if "inference" in each["urn"] and each["type"] in VERIFICATIONS]
    assert changed["outputs"].keys() >= {"nodeNames", "reported"}
    assert not {"nodes", "slices"} & changed["outputs"].keys()
    assert deployed.slices() == slices

"""A fleet on a cluster that the same program creates: its kubeconfig is a secret output that a preview may not know."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mig_fleet.components.cluster_input import NOT_KNOWN_YET
from mig_fleet.simulator import CHARTS, Fleet
from tests.engine.deployment import Deployment, Outcome, create_project
from tests.own_fleet import own_fleet_in

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]

PROGRAM = """
from pathlib import Path

import pulumi
from mig_fleet import Fleet
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult


class Maker(ResourceProvider):
    def create(self, props):
        return CreateResult("made", {**props, "kubeconfig": Path(props["path"]).read_text()})

    def diff(self, _id, olds, news):
        return DiffResult(changes=olds["path"] != news["path"])

    def update(self, _id, _olds, news):
        return UpdateResult({**news, "kubeconfig": Path(news["path"]).read_text()})


class Made(Resource):
    kubeconfig: pulumi.Output[str]


config = pulumi.Config("mig-fleet")
sections = {name: config.require_object(name) for name in ("cluster", "operator", "probe", "layouts", "pools")}
made = Made(
    Maker(),
    "made",
    {"path": sections["cluster"]["kubeconfig"], "kubeconfig": None},
    pulumi.ResourceOptions(additional_secret_outputs=["kubeconfig"]),
)
fleet = Fleet("gpus", {**sections, "cluster": {"kubeconfig": made.kubeconfig}})
pulumi.export("slices", fleet.slices)
pulumi.export("capacity", fleet.capacity)
"""
NODES = """
nodes:
- {name: made-node-1, gpu: H100-80GB, gpus: 1}
- {name: made-node-2, gpu: H100-80GB, gpus: 1, labels: {team: training}}
"""
POOL = {"gpu": "H100-80GB", "gpusPerNode": 1, "layout": "dense", "rollout": {"timeout": "5m"}}
CONFIG: dict[str, Any] = {
    "operator": {"chart": str(CHARTS / "gpu-operator"), "repository": None},
    "probe": {"interval": "2s"},
    "layouts": {"dense": {"gpu": "H100-80GB", "all": {"1g.10gb": 7}}},
    "pools": {
        "named": {**POOL, "nodes": ["made-node-1"]},
        "selected": {**POOL, "selector": {"matchLabels": {"team": "training"}}},
    },
}
FIRST, SECOND = "s3cr3tFIRST", "s3cr3tSECOND"
API = "client.authentication.k8s.io/v1"
UPDATED = re.compile(r"mig:(?:Assignment|Verification|LayoutFile|SupportingObjects|ClusterOwner)\b.* updated")


@pytest.fixture(scope="module")
def own_fleet(binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two nodes, in a cluster that no other test uses."""
    with own_fleet_in(tmp_path_factory.mktemp("made"), binaries, NODES) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def stack(own_fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """The program, not yet deployed."""
    folder = tmp_path_factory.mktemp("program")
    stack = create_project(folder, own_fleet, {**CONFIG, "cluster": {"kubeconfig": ""}}, stack="made")
    (folder / "__main__.py").write_text(PROGRAM)
    return stack


def kubeconfig(fleet: Fleet, folder: Path, secret: str) -> Path:
    """A kubeconfig whose user has a secret and gets the credentials from a file of that name."""
    document = yaml.safe_load(fleet.kubeconfig.read_text())
    (entry,) = document["users"]
    pair = {name: base64.b64decode(entry["user"][f"client-{name}-data"]).decode() for name in ("certificate", "key")}
    status = {"clientCertificateData": pair["certificate"], "clientKeyData": pair["key"]}
    (folder / secret).write_text(json.dumps({"apiVersion": API, "kind": "ExecCredential", "status": status}))
    plugin = {"apiVersion": API, "command": "cat", "args": [str(folder / secret)], "interactiveMode": "Never"}
    entry["user"] = {"exec": {**plugin, "env": [{"name": "PLUGIN_TOKEN", "value": f"token-{secret}"}]}}
    path = folder / f"{secret}.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def state(stack: Deployment) -> str:
    return "".join(file.read_text() for file in (stack.folder / "state").rglob("*.json*"))


def shows_no_secret(*outcomes: Outcome) -> bool:
    return not any(f"token-{secret}" in outcome.text for outcome in outcomes for secret in (FIRST, SECOND))


def test_a_cluster_of_the_same_program_is_previewed_used_renewed_and_left(
    stack: Deployment, own_fleet: Fleet, tmp_path: Path
) -> None:
    """One story, because each step needs the state of the one before."""
    stack.config["cluster"] = {"kubeconfig": str(kubeconfig(own_fleet, tmp_path, FIRST))}
    first = stack.preview("--diff")
    assert first.status == 0, first.text
    assert NOT_KNOWN_YET in first
    assert "nothing is planned for them (selected)" in first
    assert "gpus-named-wave-0-assigned" in first
    assert "gpus-selected-wave-0-assigned" not in first, "its nodes are not known"

    update = stack.up()
    assert update.status == 0, update.text
    assert stack.outputs()["slices"] == {
        "named": {"made-node-1": "GPU 0: 7x 1g.10gb"},
        "selected": {"made-node-2": "GPU 0: 7x 1g.10gb"},
    }
    assert stack.outputs()["capacity"] == {"nvidia.com/mig-1g.10gb": 14}, "it is no secret"

    second = stack.preview("--diff", "--expect-no-changes")
    assert second.status == 0, second.text

    pools = stack.config["pools"]
    stack.config["pools"] = {**pools, "selected": {**POOL, "selector": {"matchLabels": {"team": "none"}}}}
    refused = stack.preview()
    assert refused.status != 0
    assert "pools.selected.selector: no node has these labels" in refused
    assert "Traceback" not in refused, refused.text
    stack.config["pools"] = pools

    stack.config["cluster"] = {"kubeconfig": str(kubeconfig(own_fleet, tmp_path, SECOND))}
    unknown_again = stack.preview()
    assert unknown_again.status == 0, unknown_again.text
    assert "what exists of them is shown as deleted, and the update does not delete it" in unknown_again
    assert not re.search("gpus-named.* deleted", unknown_again.text)
    renewed = stack.up()
    assert renewed.status == 0, renewed.text
    assert not UPDATED.search(renewed.text), "other credentials are no change of a wave"
    assert " deleted" not in renewed.text
    unchanged = stack.preview("--expect-no-changes")
    assert unchanged.status == 0, unchanged.text

    assert "mig-fleet-layouts" in state(stack), "the files are those of the state"
    assert f"token-{FIRST}" not in state(stack) and f"token-{SECOND}" not in state(stack)

    (tmp_path / FIRST).unlink()
    destroyed = stack.destroy()
    assert destroyed.status == 0, f"it must use the renewed credentials:\n{destroyed.text}"
    assert shows_no_secret(first, update, second, unknown_again, renewed, unchanged, destroyed)

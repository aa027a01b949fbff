"""The kinds of previews that a reviewer meets, made by the real engine on simulated fleets of their own.

Each scene yields (name, the text of ``pulumi preview --json``, the text of its event log or an empty one).
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.synthetic_nodes import OPERATOR, REPORTS, populate
from mig_fleet.simulator import Fleet
from mig_fleet.simulator.api import Api, Json
from mig_fleet.simulator.control_plane import ControlPlane
from tests.engine.deployment import ROOT, Deployment, baseline, create_project, engine
from tests.forked_python import forked_python

Scene = tuple[str, str, str]

NODE, SLICE = "gpu-node-1", "nvidia.com/mig-1g.10gb"
OTHERS = [0, 1, 2, 4, 5, 6, 7]
POLICIES = {
    "mig-gpu-models-approved": {"enforcementLevel": "mandatory", "models": ["H100-80GB"]},
}
NODES = 200
PODS = 30


def scenes(folder: Path, binaries: Path) -> Iterator[Scene]:
    """All of them: those of the default fleet, one after the other on one stack, and that of many nodes."""
    fleet = Fleet(folder / "fleet")
    fleet.up(binaries, attached=True)
    try:
        (folder / "project").mkdir()
        yield from _of_the_default_fleet(create_project(folder / "project", fleet, baseline(fleet), "review"))
    finally:
        fleet.down()
    yield from _of_many_nodes(folder / "many", binaries)


def _of_the_default_fleet(stack: Deployment) -> Iterator[Scene]:
    fleet = stack.fleet
    # One pool of two waves; and layouts that the other scenes choose from.
    del stack.pools["mixed"]
    stack.pools["inference"] |= {"nodes": ["gpu-node-1", "gpu-node-2"], "rollout": {"maxUnavailable": 1}}
    stack.layouts["one-gpu-differs"] = {
        "gpu": "H100-80GB",
        "gpus": [
            {"devices": OTHERS, "profiles": {"1g.10gb": 7}},
            {"devices": [3], "profiles": {"3g.40gb": 1, "1g.10gb": 4}},
        ],
    }
    yield "fresh", *_preview(stack)
    done = stack.up()
    assert done.status == 0, done.text
    yield "no-change", *_preview(stack)

    stack.pools["inference"]["layout"] = "all-1g.10gb"
    yield "same-slices", *_preview(stack)

    fleet.run_pod(NODE, {SLICE: 7}, name="train-a", namespace="research", owner="Deployment")
    fleet.run_pod("gpu-node-2", {SLICE: 2}, name="chat", namespace="serving", owner="Deployment")
    stack.pools["inference"] |= {"layout": "one-gpu-differs"}
    stack.wait_for_preview("GPU 3", "--diff")
    yield "one-gpu", *_preview(stack)
    stack.pools["inference"] |= {"layout": "all-2g.20gb"}
    stack.pools["whole"] |= {"layout": "all-3g.40gb"}
    yield "pods-in-use", *_preview(stack)
    rollout = {"maxUnavailable": 1, "onUserPods": "evict", "soak": "10m", "onFailure": "rollback"}
    stack.pools["inference"] |= {"rollout": rollout}
    yield "pods-stranded", *_preview(stack)
    stack.pools["inference"] |= {"rollout": {**rollout, "onStrandedPods": "warn"}}
    yield "pods-evicted", *_preview(stack)
    fleet.user_pods.clear()

    stack.pools["inference"] |= {"layout": "inference-dense", "rollout": {"maxUnavailable": 1}}
    stack.pools["whole"] |= {"layout": "all-disabled"}
    fleet.destroy_slice(NODE, 2, 0)
    stack.wait_for_preview("slice missing", "--diff")
    yield "drift", *_preview(stack)

    repaired = stack.up()
    assert repaired.status == 0, repaired.text
    yield "failed-policy", *_preview_with_policies(stack)

    del stack.pools["training"]
    yield "destroyed-pool", *_preview(stack)

    stack.config["cluster"] = {"kubeconfig": str(_kubeconfig_without_server(stack.folder, fleet))}
    yield "unreachable", *_preview(stack)


def _preview(stack: Deployment) -> tuple[str, str]:
    return _document(stack.preview("--json").text), ""


def _preview_with_policies(stack: Deployment) -> tuple[str, str]:
    """With our pack: a policy denies the preview. Only the event log has its result."""
    config, log = stack.folder / "policies.json", stack.folder / "events.log"
    config.write_text(json.dumps(POLICIES))
    stack.environment["PULUMI_DEBUG_COMMANDS"] = "true"
    flags = ["--policy-pack", str(ROOT / "policy"), "--policy-pack-config", str(config), "--event-log", str(log)]
    return _document(stack.preview("--json", *flags).text), log.read_text()


def _document(text: str) -> str:
    """The JSON in what the engine printed: some warnings go to standard error."""
    start = text.index("{")
    found, _ = json.JSONDecoder().raw_decode(text[start:])
    return json.dumps(found)


def _kubeconfig_without_server(folder: Path, fleet: Fleet) -> Path:
    """The fleet's kubeconfig with a port on which nothing listens."""
    path = folder / "kubeconfig"
    lines = fleet.kubeconfig.read_text().splitlines()
    path.write_text("\n".join("    server: https://127.0.0.1:9" if "server:" in line else line for line in lines))
    return path


def _of_many_nodes(folder: Path, binaries: Path) -> Iterator[Scene]:
    """Nodes and pods are objects of a real API server: a preview only reads them."""
    names = [f"gpu-node-{number:03d}" for number in range(1, NODES + 1)]
    folder.mkdir()
    with _control_plane(folder / "cluster", binaries) as plane:
        asyncio.run(_populate(plane.directory, names))
        program = PROGRAM.format(kubeconfig=plane.kubeconfig, operator=OPERATOR, reports=REPORTS)
        stack = _project(folder / "project", program)
        stack.config = {"layouts": {}, "pools": {}, "nodes": names, "profiles": {"1g.10gb": 7}}
        done = stack.up()
        assert done.status == 0, done.text
        stack.config["profiles"] = {"3g.40gb": 2}
        yield "many-nodes", *_preview(stack)


PROGRAM = """
import pulumi
from mig_fleet.components.layouts import MigLayouts
from mig_fleet.components.pool import Pool

config = pulumi.Config()
layout = {{"name": "dense", "gpu": "H100-80GB", "all": config.require_object("profiles")}}
here = {{"cluster": {{"kubeconfig": "{kubeconfig}"}}, "namespace": "{operator}", "reports_namespace": "{reports}"}}
layouts = MigLayouts("layouts", {{**here, "layouts": [layout]}})
pool = Pool("inference", {{
    **here,
    "gpu": "H100-80GB",
    "gpus_per_node": 8,
    "nodes": config.require_object("nodes"),
    "layout": layout,
    "rollout": {{"canary": 1, "max_unavailable": "25%", "on_user_pods": "evict", "on_stranded_pods": "warn"}},
}}, pulumi.ResourceOptions(depends_on=[layouts]))
pulumi.export("slices", {{"inference": pool.slices}})
"""


def _project(folder: Path, program: str) -> Deployment:
    """A project with this program and a backend of its own."""
    for part in ("stacks", "state"):
        (folder / part).mkdir(parents=True)
    (folder / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text())
    (folder / "__main__.py").write_text(program)
    (folder / ".venv").symlink_to(forked_python())
    stack = Deployment(folder, Fleet(folder), *engine(folder), stack="many")
    created = stack.run("stack", "init", "--secrets-provider", "passphrase")
    assert created.status == 0, created.text
    return stack


@contextmanager
def _control_plane(folder: Path, binaries: Path) -> Iterator[ControlPlane]:
    plane = ControlPlane(folder, binaries)
    plane.directory.mkdir()
    try:
        asyncio.run(plane.start())
        yield plane
    finally:
        plane.stop()


async def _populate(directory: Path, names: list[str]) -> None:
    """And a StatefulSet with a pod on each of the first nodes. Its controller waits for its first pod, which has no
    slices and never is ready, and leaves the others as they are.
    """
    await populate(directory, names)
    async with Api(directory) as api:
        path, apps = "/api/v1/namespaces/default/pods", "/apis/apps/v1/namespaces/default/statefulsets"
        owner = await api.create(apps, STATEFUL_SET)
        for number, node in enumerate(names[:PODS], 1):
            pod = f"chat-{number}"
            await api.create(path, _pod(pod, node, owner["metadata"]["uid"]))
            await api.patch(f"{path}/{pod}/status", {"status": {"phase": "Running"}})


CHAT = {"app": "chat"}
STATEFUL_SET: Json = {
    "metadata": {"name": "chat"},
    "spec": {
        "replicas": PODS + 1,
        "selector": {"matchLabels": CHAT},
        "template": {"metadata": {"labels": CHAT}, "spec": {"containers": [{"name": "main", "image": "simulated"}]}},
    },
}


def _pod(name: str, node: str, uid: str) -> Json:
    container: dict[str, Any] = {"name": "main", "image": "simulated", "resources": {"limits": {SLICE: "2"}}}
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "chat", "uid": uid, "controller": True}
    return {
        "metadata": {"name": name, "ownerReferences": [owner], "labels": CHAT},
        "spec": {"nodeName": node, "containers": [container]},
    }

"""A control plane with Node objects, on which Node Feature Discovery's own worker and master run; no kubelet does."""

import asyncio
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mig_fleet.cluster.client import Cluster
from mig_fleet.cluster.errors import NotFound
from mig_fleet.components.node_labels import rules
from mig_fleet.model import gpus, labels
from mig_fleet.simulator.control_plane import ControlPlane
from mig_fleet.simulator.control_plane.process import Child
from mig_fleet.simulator.genuine import node_features
from mig_fleet.simulator.polling import wait_until
from tests.conformance.node_feature_cases import CHART, Case

TIMEOUT_S: Final = 60
NODES: Final = "/api/v1/nodes"
DEFINITIONS: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
RULES: Final = f"/apis/{labels.NODE_FEATURE_API}/nodefeaturerules"

Json = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """A node after the master has labelled it, and how long its worker ran."""

    labels: Mapping[str, str]
    taints: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class Site:
    """Nodes that the running master labels."""

    cluster: Cluster
    kubeconfig: Path
    program: Path
    """The worker."""
    master: Child
    folder: Path

    def discover(self, case: Case) -> float:
        """Run the worker on a node; returns the seconds that it took."""
        folder = self.folder / case.name
        case.write(folder)
        command = node_features.worker(folder, self.program, case.name, self.kubeconfig, case.config)
        start = time.monotonic()
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        assert done.returncode == 0, f"{case}: {done.stdout}{done.stderr}"
        return time.monotonic() - start

    def outcomes(self, seconds: Mapping[Case, float]) -> dict[Case, Outcome]:
        """The nodes as soon as all of them have what the worker wrote. The master writes all labels at once."""
        (system, *_) = next(iter(seconds)).system

        def nodes() -> dict[str, Json]:
            found = {node["metadata"]["name"]: node for node in self.cluster.get(NODES)["items"]}
            return found if all(system in found[it.name]["metadata"].get("labels", {}) for it in seconds) else {}

        found = wait_until(nodes, "the master has labelled all nodes")
        return {case: _outcome(found[case.name], took) for case, took in seconds.items()}

    def create_rule(self, name: str, rules: list[Json]) -> None:
        create_rule(self.cluster, name, rules)

    @property
    def errors(self) -> list[str]:
        """The errors in the master's log so far."""
        return [line for line in self.master.log.read_text().splitlines() if line.startswith("E")]


def _outcome(node: Json, seconds: float) -> Outcome:
    taints = tuple(taint["key"] for taint in node["spec"].get("taints", ()))
    return Outcome(node["metadata"]["labels"], taints, seconds)


def create_rule(cluster: Cluster, name: str, rules: list[Json]) -> None:
    body = {
        "apiVersion": labels.NODE_FEATURE_API,
        "kind": labels.NODE_FEATURE_RULE,
        "metadata": {"name": name},
        "spec": {"rules": rules},
    }
    cluster.call("POST", RULES, body=body)


@contextmanager
def running(folder: Path, programs: Path, cases: tuple[Case, ...]) -> Iterator[Site]:
    """The control plane with a node for each case and one rule for all models of the catalog, and the master; all of it
    ends with the block.
    """
    plane = ControlPlane(folder / "plane", programs)
    plane.directory.mkdir()
    master = None
    try:
        asyncio.run(plane.start())
        cluster = Cluster({"kubeconfig": str(plane.kubeconfig)})
        _populate(cluster, cases)
        config = CHART["node-feature-discovery.master.config"]["default"]
        program = programs / node_features.MASTER
        command, environment = node_features.master(program, cases[0].name, plane.kubeconfig, config)
        master = Child(node_features.MASTER, command, folder / "master.log", environment)
        yield Site(cluster, plane.kubeconfig, programs / node_features.WORKER, master, folder)
    finally:
        if master is not None:
            master.kill()
        plane.stop()


def _populate(cluster: Cluster, cases: tuple[Case, ...]) -> None:
    for definition in (NODE_FEATURES, NODE_FEATURE_RULES):
        cluster.call("POST", DEFINITIONS, body=definition)
    cluster.call("POST", "/api/v1/namespaces", body={"metadata": {"name": node_features.NAMESPACE}})
    for case in cases:
        cluster.call("POST", NODES, body=_node(case))
    wait_until(lambda: _is_served(cluster, RULES), "the API server serves NodeFeatureRules")
    wait_until(lambda: _is_served(cluster, f"/apis/{labels.NODE_FEATURE_API}/nodefeatures"), "it serves NodeFeatures")
    create_rule(cluster, labels.MODEL_RULE, rules(model.name for model in gpus.all_models()))


def _node(case: Case) -> Json:
    """With a label and an annotation of the kubelet: the master adds its own to those that a node has."""
    hostname, attach = "kubernetes.io/hostname", "volumes.kubernetes.io/controller-managed-attach-detach"
    metadata = {"name": case.name, "labels": {hostname: case.name}, "annotations": {attach: "true"}}
    return {"metadata": metadata, "spec": {"taints": [dict(taint) for taint in case.taints]}}


def _is_served(cluster: Cluster, path: str) -> bool:
    try:
        cluster.get(path)
    except NotFound:
        return False
    return True


def _definition(kind: str, scope: str, spec: Json) -> Json:
    schema = {"type": "object", "properties": {"spec": spec}, "required": ["spec"]}
    return {
        "metadata": {"name": f"{kind.lower()}s.nfd.k8s-sigs.io"},
        "spec": {
            "group": "nfd.k8s-sigs.io",
            "scope": scope,
            "names": {"kind": kind, "plural": f"{kind.lower()}s"},
            "versions": [{"name": "v1alpha1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }


def _object(**properties: Json) -> Json:
    return {"type": "object", "properties": properties}


def _each(of: Json) -> Json:
    return {"type": "object", "additionalProperties": of}


def _list(of: Json) -> Json:
    return {"type": "array", "items": of}


TEXT: Final = {"type": "string"}
EXPRESSION: Final = _object(op={**TEXT, "enum": ["In", "NotIn"]}, value=_list(TEXT))
FEATURES: Final = _list(_object(feature=TEXT, matchExpressions=_each(EXPRESSION)))
RULE: Final = _object(name=TEXT, labels=_each(TEXT), matchFeatures=FEATURES)

NODE_FEATURES: Final = _definition(
    "NodeFeature", "Namespaced", {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
)
NODE_FEATURE_RULES: Final = _definition("NodeFeatureRule", "Cluster", _object(rules=_list(RULE)))
"""Of Node Feature Discovery's definition, the fields and operators that our rule has: the API server drops others."""

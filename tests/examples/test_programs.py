"""The programs of the examples register what their pages promise; the engine and the clouds are replaced."""

import asyncio
import importlib
import json
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from click.testing import CliRunner

from mig_fleet.cli.__main__ import main
from mig_fleet.cluster import in_cluster
from mig_fleet.model.wave_nodes import node_names
from mig_fleet.stack_file import membership
from tests.examples.programs import EXAMPLES, ROOT, Cluster, config_of, run, run_example, with_modules

FROM_STACK_FILE = ("adopt-existing", "autoscaled-pool", "bare-metal-python", "pulumi-operator")
LABEL = {"example.com/gpu-pool": "inference"}
TOKEN = "s3cr3tMARKER"
KUBECONFIG = json.dumps(
    {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "c", "user": {"token": TOKEN}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
        "current-context": "c",
    }
)
WAVE = "pulumi-python:dynamic/mig:Assignment"


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """Two nodes of the pool `inference`, one of `bursts`, one of none."""
    labels = {"n1": LABEL, "n2": LABEL, "b1": {"example.com/gpu-pool": "bursts"}, "other": {}}
    cluster = Cluster(labels)
    monkeypatch.setattr(membership, "observe", cluster.observe)
    monkeypatch.setattr(membership, "Cluster", lambda _args: cluster)
    return cluster


@pytest.fixture
def pod(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """This process has what the kubelet gives to a pod."""
    (tmp_path / "token").write_text(TOKEN)
    monkeypatch.setattr(in_cluster, "ACCOUNT", tmp_path)
    for name, value in zip(in_cluster.ADDRESS, ("10.0.0.1", "443"), strict=True):
        monkeypatch.setenv(name, value)


def waves(created: dict[str, Any]) -> dict[str, list[str]]:
    """Wave → its nodes."""
    return {inputs["wave"]: [*node_names(inputs)] for kind, inputs in created.values() if kind == WAVE}


def test_the_simulated_python_program_changes_a_canary_first() -> None:
    created = run_example("simulated-python")
    assert waves(created) == {
        "gpus-inference-canary": ["gpu-node-1"],
        "gpus-inference-wave-0": ["gpu-node-2"],
        "gpus-training-wave-0": ["gpu-node-4"],
    }


@pytest.mark.usefixtures("pod")
@pytest.mark.parametrize("name", FROM_STACK_FILE)
def test_a_short_program_registers_the_pools_of_its_stack_file(name: str, nodes: Cluster) -> None:
    created = run_example(name, config=config_of(name))
    pools = {name for name, (kind, _) in created.items() if kind == "mig-fleet:index:Pool"}
    assert pools == {f"gpus-{pool}" for pool in config_of(name)["mig-fleet:pools"]}
    assert waves(created)


def test_a_program_that_adopts_a_cluster_installs_no_operator_and_keeps_the_labels() -> None:
    created = run_example("adopt-existing", config=config_of("adopt-existing"))
    assert not [name for name, (kind, _) in created.items() if "Release" in kind]
    assert {inputs["configName"] for kind, inputs in created.values() if kind == WAVE} == {"keep"}


@pytest.mark.usefixtures("pod")
def test_the_stack_of_the_pulumi_operator_has_no_credentials(nodes: Cluster) -> None:
    created = run_example("pulumi-operator", config=config_of("pulumi-operator"))
    assert TOKEN not in json.dumps([inputs for _, inputs in created.values()], default=str)
    assert {node for found in waves(created).values() for node in found} == {"n1", "n2", "gpu-node-7"}


def test_the_account_of_the_pulumi_operator_has_each_role_that_the_stack_needs() -> None:
    folder = EXAMPLES / "pulumi-operator"
    printed = CliRunner().invoke(main, ["rights", "--file", str(folder / "stacks" / "Pulumi.prod.yaml")])
    needed = {
        (each["kind"], each["metadata"]["name"], each["metadata"].get("namespace"))
        for each in yaml.safe_load_all(printed.stdout)
        if "Role" in each["kind"]
    }
    account = list(yaml.safe_load_all((folder / "account.yaml").read_text()))
    bound = {
        (each["roleRef"]["kind"], each["roleRef"]["name"], each["metadata"].get("namespace"))
        for each in account
        if each["kind"].endswith("Binding")
    }
    assert needed == bound - {("ClusterRole", "system:auth-delegator", None)}
    stack = yaml.safe_load((folder / "stack.yaml").read_text())
    (name,) = (each["metadata"]["name"] for each in account if each["kind"] == "ServiceAccount")
    assert stack["spec"]["serviceAccountName"] == name
    assert (ROOT / stack["spec"]["repoDir"]) == folder
    assert (folder / "stacks" / f"Pulumi.{stack['spec']['stack']}.yaml").is_file()


def test_each_developer_gets_a_quota_and_no_more_slices_than_there_are() -> None:
    name = "dev-slices-per-developer"
    created = run_example(name, config=config_of(name))
    quotas = {each: inputs["spec"]["hard"] for each, (kind, inputs) in created.items() if "ResourceQuota" in kind}
    assert quotas["slices-grace"] == {"requests.nvidia.com/mig-1g.10gb": "2", "requests.nvidia.com/gpu": "0"}
    assert len(quotas) == 3
    too_many = {**config_of(name), f"{name}:developers": {"ada": 57}}
    with pytest.raises(ValueError, match="the developers' shares are 57 slices, and the nodes have 56"):
        run_example(name, config=too_many)


@pytest.mark.parametrize("wrong", [{"ada": "1"}, {"ada": True}, {"ada": -1}])
def test_a_share_that_is_no_number_is_refused(wrong: dict[str, Any]) -> None:
    config = {**config_of("dev-slices-per-developer"), "dev-slices-per-developer:developers": wrong}
    with pytest.raises(ValueError, match="developers must have a number of slices from 0, such as 1: ada"):
        run_example("dev-slices-per-developer", config=config)


# Clusters of the same program


def gpus_of(example: str, kubeconfig: Any) -> Any:
    """Call the half of a cloud's program that is about MIG."""

    def call() -> Any:
        gpus = importlib.import_module("gpus").gpus
        return gpus(kubeconfig()) if example == "eks-python" else gpus(kubeconfig(), [])

    return lambda: with_modules(EXAMPLES / example, call)


def known() -> pulumi.Output[str]:
    return pulumi.Output.secret(KUBECONFIG)


def unknown() -> pulumi.Output[str]:
    def of(value: Any) -> "asyncio.Future[Any]":
        future: asyncio.Future[Any] = asyncio.get_event_loop().create_future()
        future.set_result(value)
        return future

    return pulumi.Output(set(), of(pulumi.runtime.rpc.UNKNOWN), of(False), of(True))


CLOUDS = ("eks-python", "gke-python")


@pytest.mark.parametrize("example", CLOUDS)
def test_the_nodes_of_a_new_cluster_are_those_with_the_label_of_its_node_group(example: str, nodes: Cluster) -> None:
    created = run(gpus_of(example, known))
    assert sorted(node for found in waves(created).values() for node in found) == ["n1", "n2"]


@pytest.mark.parametrize("example", CLOUDS)
def test_a_first_preview_plans_the_operator_and_no_pool(example: str, nodes: Cluster) -> None:
    created = run(gpus_of(example, unknown), preview=True)
    assert [name for name, (kind, _) in created.items() if "Release" in kind]
    assert waves(created) == {}


def test_each_namespace_on_gke_has_a_quota_for_critical_pods(nodes: Cluster) -> None:
    created = run(gpus_of("gke-python", known))
    namespaces = {inputs["metadata"]["name"] for kind, inputs in created.values() if kind.endswith(":Namespace")}
    quotas = {inputs["metadata"]["namespace"] for kind, inputs in created.values() if kind.endswith(":ResourceQuota")}
    assert quotas == namespaces == {"gpu-operator", "mig-fleet"}

"""`mig-fleet import --cluster`: the stack file of a fleet that others set up, from a cluster in memory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from mig_fleet.cli import import_
from mig_fleet.cli.__main__ import main
from mig_fleet.model import Layout, labels, parted
from mig_fleet.model.report import Report
from mig_fleet.simulator.operands.stock_layouts import stock_layouts
from mig_fleet.stack_file import fleet
from tests.memory import installed
from tests.memory.fleet import a_gpu
from tests.memory.installed import InstalledCluster, by_argo_cd, by_helm, by_olm, gpu_node

SLICES = {"nvidia.com/mig-1g.10gb": 56}
Import = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Import:
    """Run the command on a cluster in memory."""

    def run(cluster: InstalledCluster, *words: str) -> Result:
        monkeypatch.setattr(import_, "_connect", lambda *_: cluster)
        return CliRunner().invoke(main, ["import", "--cluster", *words], prog_name="mig-fleet")

    return run


def config_of(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    config: dict[str, Any] = yaml.safe_load(result.stdout)["config"]
    return {key.removeprefix("mig-fleet:"): value for key, value in config.items()}


def with_nodes(cluster: InstalledCluster, namespace: str = installed.NAMESPACE) -> InstalledCluster:
    """Three nodes with stock configs, and the operator's own file."""
    cluster.lists["/api/v1/nodes"] = [
        gpu_node("gpu-1", "all-1g.10gb", SLICES),
        gpu_node("gpu-2", "all-1g.10gb", SLICES),
        gpu_node("gpu-3", "all-disabled", {"nvidia.com/gpu": 8}),
        {"metadata": {"name": "plain"}},
    ]
    cluster.config_map(labels.OPERATOR_OWNED_CONFIG_MAP, {labels.LAYOUTS_KEY: stock_layouts()}, namespace)
    return cluster


@pytest.mark.parametrize(
    ("make", "namespace", "owner"),
    [
        (by_helm, "gpu-operator", "Helm release 'gpu-operator'"),
        (by_argo_cd, "gpu-operator", "Argo CD application 'gpus' in namespace 'argocd'"),
        (by_olm, "nvidia-gpu-operator", "OLM's ClusterServiceVersion 'gpu-operator-certified.v24.9.2'"),
    ],
)
def test_a_fleet_of_others_becomes_a_stack_that_leaves_the_operator_to_its_owner(
    make: Callable[[], InstalledCluster], namespace: str, owner: str, run: Import, tmp_path: Path
) -> None:
    cluster = with_nodes(make(), namespace)
    result = run(cluster)
    config = config_of(result)
    assert config["cluster"] == {"context": "prod-gpu"}
    assert config["operator"] == {"managed": False, "namespace": namespace}
    assert owner in result.stdout
    assert config["layouts"] == {
        "all-1g.10gb": {"gpu": "H100-80GB", "all": {"1g.10gb": 7}},
        "all-disabled": {"gpu": "H100-80GB", "disabled": True},
    }, "and none of the other configs of NVIDIA's file"
    assert {name: (pool["nodes"], pool["configName"]) for name, pool in config["pools"].items()} == {
        "all-1g.10gb": (["gpu-1", "gpu-2"], "keep"),
        "all-disabled": (["gpu-3"], "keep"),
    }
    assert result.stderr == "", "nothing was left out"
    path = tmp_path / "Pulumi.imported.yaml"
    path.write_text(result.stdout)
    assert len(fleet.from_file(path).pools) == 2


def test_saved_objects_give_the_layouts_and_pools_of_their_cluster(run: Import, tmp_path: Path) -> None:
    cluster = with_nodes(by_helm())
    wrong = gpu_node("gpu-9", "all-1g.10gb", {"nvidia.com/mig-3g.40gb": 16})
    cluster.lists["/api/v1/nodes"].append(wrong)
    live = run(cluster)
    items = [{"kind": "Node", **node} for node in cluster.lists["/api/v1/nodes"]]
    (tmp_path / "nodes.yaml").write_text(yaml.safe_dump({"kind": "List", "items": items}))
    saved = CliRunner().invoke(main, ["import", str(tmp_path / "nodes.yaml")], prog_name="mig-fleet")
    for section in ("layouts", "pools"):
        assert config_of(saved)[section] == config_of(live)[section]
    assert live.stderr.strip() in saved.stderr


def test_a_helm_release_has_its_version_in_the_comment_about_a_take_over(run: Import) -> None:
    step = "A take-over begins with version: 'v25.10.0' and the values of `helm get values gpu-operator -n gpu-operator"
    assert step in run(with_nodes(by_helm())).stdout
    assert "take-over" not in run(with_nodes(by_argo_cd())).stdout


def test_no_value_of_a_helm_release_is_printed(run: Import) -> None:
    assert installed.SECRET_VALUE not in run(with_nodes(by_helm())).output


def test_a_node_that_offers_something_else_is_named_and_left_out(run: Import) -> None:
    cluster = with_nodes(by_helm())
    wrong = gpu_node("gpu-9", "all-1g.10gb", {"nvidia.com/mig-3g.40gb": 16})
    failed = gpu_node("gpu-8", "all-1g.10gb", SLICES, **{"mig.config.state": "failed"})
    cluster.lists["/api/v1/nodes"] += [wrong, failed]
    result = run(cluster)
    assert config_of(result)["pools"]["all-1g.10gb"]["nodes"] == ["gpu-1", "gpu-2"]
    for text in (
        "node gpu-9: config 'all-1g.10gb' is mig-1g.10gb: 56, but the kubelet offers mig-3g.40gb: 16",
        "node gpu-8: config 'all-1g.10gb' is mig-1g.10gb: 56, but MIG Manager could not apply it",
    ):
        assert text in result.stderr
        assert text in result.stdout


def test_a_probe_that_runs_shows_what_labels_hide(run: Import) -> None:
    cluster = with_nodes(by_helm())
    gpus = [a_gpu(0, {"1g.10gb": 6}), *(a_gpu(index, {"1g.10gb": 7}) for index in range(1, 8))]
    report = Report("gpu-1", "580.126.09", "all-1g.10gb", "success", tuple(gpus))
    cluster.config_map(
        f"{labels.REPORT_PREFIX}gpu-1",
        {labels.REPORT_KEY: report.to_json()},
        "probes",
        labels={labels.REPORT_LABEL: "true"},
    )
    result = run(cluster)
    assert "not carried over: node gpu-1: config 'all-1g.10gb'" in result.stderr
    assert "NVML shows GPU 0: 6x 1g.10gb; GPU 1-7: 7x 1g.10gb" in result.stderr


def test_without_an_operator_the_choice_is_left_to_the_user(run: Import) -> None:
    cluster = InstalledCluster()
    cluster.lists["/api/v1/nodes"] = [gpu_node("gpu-1", "all-1g.10gb", SLICES)]
    result = run(cluster)
    assert "operator" not in config_of(result)
    assert "# No GPU Operator was found. By default the stack installs one" in result.stdout


def test_the_file_that_mig_manager_reads_wins(run: Import) -> None:
    cluster = installed.with_operator(layouts="theirs")
    cluster.lists["/api/v1/nodes"] = [gpu_node("gpu-1", "dense", {"nvidia.com/mig-3g.40gb": 16})]
    for name, profiles in (("a-copy", {"1g.10gb": 7}), ("theirs", {"3g.40gb": 2})):
        layout = Layout.uniform("dense", "H100-80GB", profiles)
        text = parted.dump([layout]).replace(layout.config_name, "dense")
        cluster.config_map(name, {labels.LAYOUTS_KEY: text})
    result = run(cluster)
    assert config_of(result)["layouts"]["dense"] == {"gpu": "H100-80GB", "all": {"3g.40gb": 2}}
    assert "let MIG Manager read mig-fleet-layouts instead of 'theirs'" in result.stdout


A100 = "NVIDIA-A100-SXM4-80GB"
BALANCED = {"nvidia.com/mig-1g.10gb": 16, "nvidia.com/mig-2g.20gb": 8, "nvidia.com/mig-3g.40gb": 8}
DENSE = Layout.uniform("dense", "H100-80GB", {"1g.10gb": 7})
LARGE = Layout.uniform("large", "A100-80GB", {"3g.40gb": 2})


def of_two_models(config: str = "all-1g.10gb") -> InstalledCluster:
    """H100 with NVIDIA's balanced config, A100 with slices of one size."""
    cluster = with_nodes(by_helm())
    cluster.lists["/api/v1/nodes"] = [
        gpu_node("gpu-1", "all-balanced", BALANCED),
        gpu_node("gpu-2", config, SLICES),
        gpu_node("gpu-3", "all-1g.10gb", SLICES, A100),
    ]
    return cluster


def as_a_stack_left_it(cluster: InstalledCluster, reads_ours: bool) -> InstalledCluster:
    """The layout file of a stack has NVIDIA's configs for all models, and layouts that no node carries."""
    data = yaml.safe_load(stock_layouts())
    data["mig-configs"] |= yaml.safe_load(parted.dump([DENSE, LARGE]))["mig-configs"]
    cluster.config_map(labels.LAYOUTS_CONFIG_MAP, {labels.LAYOUTS_KEY: yaml.safe_dump(data)})
    if reads_ours:
        (policy,) = cluster.lists[installed.POLICIES]
        policy["spec"]["migManager"]["config"]["name"] = labels.LAYOUTS_CONFIG_MAP
    return cluster


@pytest.mark.parametrize("reads_ours", [False, True])
def test_an_import_after_a_stack_left_is_the_first_import(reads_ours: bool, run: Import) -> None:
    first = run(of_two_models())
    again = run(as_a_stack_left_it(of_two_models(), reads_ours))
    assert config_of(again) == config_of(first)
    assert again.stderr == first.stderr
    assert {layout["gpu"] for layout in config_of(first)["layouts"].values()} == {"A100-80GB", "H100-80GB"}
    assert config_of(first)["layouts"].keys() == {"all-balanced", "all-1g.10gb-h100-80gb", "all-1g.10gb-a100-80gb"}


def test_a_name_of_ours_that_a_node_carries_is_imported_without_the_other_layouts(run: Import) -> None:
    result = run(as_a_stack_left_it(of_two_models(DENSE.config_name), reads_ours=True))
    config = config_of(result)
    assert result.stderr == "", "nothing was renamed or left out"
    assert config["layouts"].keys() == {"dense", "all-balanced", "all-1g.10gb"}
    assert {name: (pool["nodes"], pool.get("configName")) for name, pool in config["pools"].items()} == {
        "dense": (["gpu-2"], None),
        "all-balanced": (["gpu-1"], "keep"),
        "all-1g.10gb": (["gpu-3"], "keep"),
    }


def test_a_config_that_no_node_carries_is_not_imported_from_any_file_of_a_cluster(run: Import) -> None:
    cluster = with_nodes(by_helm())
    cluster.config_map("copied", {labels.LAYOUTS_KEY: parted.dump([DENSE, LARGE])})
    assert config_of(run(cluster))["layouts"].keys() == {"all-1g.10gb", "all-disabled"}


def test_files_that_mig_manager_generated_for_a_node_add_no_note(run: Import) -> None:
    cluster = installed.with_operator()
    cluster.lists["/api/v1/nodes"] = [
        gpu_node(
            "nvl-1", "all-1g.24gb", {"nvidia.com/mig-1g.24gb": 32}, "NVIDIA-RTX-PRO-6000-Blackwell-Server-Edition"
        ),
        gpu_node("gpu-1", "all-1g.10gb", SLICES),
    ]
    for node, profile in (("nvl-1", "1g.24gb"), ("gpu-1", "1g.10gb")):
        entry = f"{{devices: all, mig-enabled: true, mig-devices: {{{profile}: 4}}}}"
        text = f"version: v1\nmig-configs: {{all-disabled: [{{devices: all, mig-enabled: false}}], all-x: [{entry}]}}\n"
        cluster.config_map(f"{node}-mig-config", {labels.LAYOUTS_KEY: text})
    result = run(cluster)
    assert config_of(result)["pools"].keys() == {"all-1g.24gb", "all-1g.10gb"}
    assert result.stderr == ""


def test_the_stack_that_owns_the_cluster_is_named(run: Import) -> None:
    cluster = with_nodes(by_helm())
    cluster.config_map(labels.LAYOUTS_CONFIG_MAP, {}, annotations={labels.OWNER: "3f2a acme/mig-fleet/prod"})
    text = run(cluster).stdout
    assert "# Stack 'acme/mig-fleet/prod' owns this cluster" in text
    assert "mig-fleet:cluster: {takeOver: '3f2a acme/mig-fleet/prod'}" in text


def test_a_kubeconfig_is_in_the_stack_file_only_if_it_was_given(run: Import) -> None:
    given = config_of(run(with_nodes(by_helm()), "--kubeconfig", "clusters/prod.yaml"))
    assert given["cluster"] == {"kubeconfig": "clusters/prod.yaml", "context": "prod-gpu"}


def test_a_namespace_without_an_operator_is_named(run: Import) -> None:
    result = run(with_nodes(by_olm(), "nvidia-gpu-operator"), "--namespace", "gpu-operator")
    assert config_of(result)["operator"]["namespace"] == "nvidia-gpu-operator"
    assert "--namespace gpu-operator: no GPU Operator runs there; found GPU Operator v24.9.2 in" in result.stderr


def test_what_may_not_be_listed_is_named(run: Import) -> None:
    cluster = with_nodes(by_helm())
    cluster.forbid(f"/api/v1/namespaces/{installed.NAMESPACE}/secrets")
    cluster.forbid("/api/v1/configmaps")
    result = run(cluster)
    assert config_of(result)["operator"]["managed"] is False
    assert (
        "Helm's releases could not be read: the cluster refuses GET /api/v1/namespaces/gpu-operator/" in result.stderr
    )


def test_an_operator_that_may_not_be_looked_for_is_not_taken_for_missing(run: Import) -> None:
    cluster = with_nodes(by_helm())
    rights = {
        installed.POLICIES: "clusterpolicies.nvidia.com",
        installed.DEPLOYMENTS: "deployments.apps",
        installed.DAEMON_SETS: "daemonsets.apps",
        "/api/v1/configmaps": "configmaps",
    }
    for path in rights:
        cluster.forbid(path)
    result = run(cluster)
    assert "operator" not in config_of(result)
    assert "No GPU Operator was found" not in result.stdout
    assert "# Whether the cluster has a GPU Operator could not be read" in result.stdout
    for right in rights.values():
        assert f"grant the right to list {right} in all namespaces" in result.stderr


def test_a_count_that_no_node_has_is_named_and_the_import_does_not_compute_with_it(run: Import) -> None:
    cluster = with_nodes(by_helm())
    cluster.lists["/api/v1/nodes"].append(gpu_node("gpu-9", "all-1g.10gb", SLICES, **{"gpu.count": "10000000"}))
    result = run(cluster)
    assert config_of(result)["pools"]["all-1g.10gb"]["nodes"] == ["gpu-1", "gpu-2"]
    assert "node gpu-9: has 10000000 GPUs by its label nvidia.com/gpu.count; must be 1 to 64" in result.stderr


def test_a_config_that_a_plan_would_refuse_is_not_imported(run: Import) -> None:
    cluster = with_nodes(by_helm())
    slices = {"nvidia.com/mig-1g.24gb": 8, "nvidia.com/mig-2g.47gb": 4, "nvidia.com/mig-3g.95gb": 4}
    boards = [gpu_node(f"gb-{number}", "all-balanced", slices, "NVIDIA-GB200") for number in range(4)]
    cluster.lists["/api/v1/nodes"] += boards
    result = run(cluster)
    assert not any(pool["gpu"].startswith("GB200") for pool in config_of(result)["pools"].values())
    (why,) = [line for line in result.stderr.splitlines() if "unproven on GB200" in line]
    assert "or leave them out" in why
    assert "nodes gb-0, gb-1, gb-2 and 1 more: config 'all-balanced'" in result.stderr


@pytest.mark.parametrize("quantity", ["1e99999999", "\x1b[2K", "²"])
def test_a_node_with_a_quantity_that_is_none_is_named_and_the_others_are_imported(quantity: str, run: Import) -> None:
    cluster = with_nodes(by_helm())
    odd = gpu_node("gpu-9", "all-1g.10gb", SLICES, **{"gpu.count": "9" * 5000})
    odd["status"]["allocatable"]["nvidia.com/gpu"] = quantity
    cluster.lists["/api/v1/nodes"].append(odd)
    result = run(cluster)
    assert config_of(result)["pools"]["all-1g.10gb"]["nodes"] == ["gpu-1", "gpu-2"]
    assert "node gpu-9: could not be read: nvidia.com/gpu is '" in result.stderr
    assert result.stderr.replace("\n", "").isprintable()


def test_a_report_that_cannot_be_read_is_named(run: Import) -> None:
    cluster = with_nodes(by_helm())
    report = '{"version": 1, "node": "\\u001b[2K"}'
    cluster.config_map("mig-report-gpu-1", {labels.REPORT_KEY: report}, labels={labels.REPORT_LABEL: "true"})
    result = run(cluster)
    assert "the report in ConfigMap mig-report-gpu-1: not a report of mig-fleet: node: must be" in result.stderr
    assert result.stderr.replace("\n", "").isprintable()
    assert config_of(result)["pools"]["all-1g.10gb"]["nodes"] == ["gpu-1", "gpu-2"]


def test_a_config_name_of_a_file_is_printed_with_escapes(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        'version: v1\nmig-configs: {"\\e[2Kx": [{devices: all, mig-enabled: true, mig-devices: {9g.9gb: 1}}]}\n'
    )
    result = CliRunner().invoke(main, ["import", str(file), "--gpu", "H100-80GB"])
    assert r"\x1b[2K" in result.stderr
    assert result.output.replace("\n", "").isprintable()


def test_nodes_that_may_not_be_listed_are_one_error(run: Import) -> None:
    cluster = InstalledCluster()
    cluster.forbid("/api/v1/nodes")
    result = run(cluster)
    assert result.exit_code == 1
    assert "the cluster refuses GET /api/v1/nodes" in result.output


def test_hostile_names_cannot_add_settings(run: Import) -> None:
    hostile = "x}\n  mig-fleet:operator: {managed: true"
    cluster = with_nodes(installed.with_operator(node_labels={"app.kubernetes.io/managed-by": hostile}))
    cluster.context = hostile
    config = config_of(run(cluster))
    assert config["operator"] == {"managed": False, "namespace": "gpu-operator"}
    assert config["cluster"] == {"context": hostile}


FILE = 'version: v1\nmig-configs: {sevens: [{devices: all, mig-enabled: true, mig-devices: {"1g.10gb": 7}}]}\n'
VALUES = {"migManager": {"config": {"name": "ours", "data": {"config.yaml": FILE}}}}
CHARTS: dict[str, dict[str, Any]] = {
    "a values file": VALUES,
    "k3s": {"kind": "HelmChart", "spec": {"valuesContent": yaml.safe_dump(VALUES)}},
    "Argo CD": {"kind": "Application", "spec": {"source": {"helm": {"valuesObject": VALUES}}}},
    "Argo CD, as text": {"kind": "Application", "spec": {"source": {"helm": {"values": yaml.safe_dump(VALUES)}}}},
    "Argo CD, several sources": {"kind": "Application", "spec": {"sources": [{}, {"helm": {"valuesObject": VALUES}}]}},
}


@pytest.mark.parametrize("document", CHARTS.values(), ids=CHARTS.keys())
def test_layouts_in_values_of_the_chart_are_imported(document: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "chart.yaml").write_text(yaml.safe_dump(document))
    result = CliRunner().invoke(main, ["import", "--gpu", "H100-80GB", str(tmp_path / "chart.yaml")])
    assert result.exit_code == 0, result.output
    assert yaml.safe_load(result.stdout)["config"]["mig-fleet:layouts"].keys() == {"sevens"}

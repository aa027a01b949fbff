"""The provider of the layout file: what a preview shows, and what an update writes."""

from collections.abc import Callable
from typing import Any

import pulumi
import pytest
import yaml

from mig_fleet.cluster.errors import ClusterUnreachable, NotFound
from mig_fleet.components import layout_file
from mig_fleet.components.layout_file import LayoutFileFailed, LayoutFileProvider
from mig_fleet.components.preview import WAY_OUT
from mig_fleet.model import labels, parted
from mig_fleet.observed.configs.layout_file import dump_configs, parse_configs, sound_configs
from mig_fleet.observed.snapshot import Node, Snapshot
from tests.memory.fleet import DENSE, WIDE
from tests.memory.installed import by_helm, by_olm

FILE, PROVIDER = parted.dump([DENSE]), LayoutFileProvider()
NOT_A_FILE = "ConfigMap missing: mig-fleet-layouts is missing, or is not a mig-parted file"
LACKS_ALL_DISABLED = "ConfigMap edited: config 'all-disabled' is missing"


class OneConfigMap:
    """A cluster with one ConfigMap."""

    def __init__(self, text: str) -> None:
        self.text = text

    def config_map(self, _namespace: str, _name: str) -> dict[str, object]:
        return {"data": {"config.yaml": self.text}}

    def config_maps(self, _namespace: str) -> list[object]:
        return []

    def pods_in(self, _namespace: str, _labels: str) -> list[object]:
        return []

    def custom_objects(self, _api_version: str, _plural: str) -> None:
        return None

    def write_config_map(self, _namespace: str, _name: str, data: dict[str, str], owner: dict[str, str]) -> None:
        self.text, self.owner = data["config.yaml"], owner


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], OneConfigMap]:
    """Puts a layout file into a cluster with one node, which needs config ``x``."""

    def make(text: str) -> OneConfigMap:
        cluster = OneConfigMap(text)
        node = Node("n1", {"nvidia.com/mig.config": "x"}, {}, {}, None)
        monkeypatch.setattr(layout_file, "Cluster", lambda _args: cluster)
        monkeypatch.setattr(layout_file, "observe", lambda *_: Snapshot({"n1": node}))
        return cluster

    return make


def properties(**changes: Any) -> dict[str, Any]:
    return {"cluster": {}, "namespace": "gpu-operator", "file": FILE, **changes}


def configs(text: str) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load(text)["mig-configs"]
    return found


def test_a_file_that_is_as_declared_has_no_diff(serve: Callable[[str], OneConfigMap]) -> None:
    serve(FILE)
    found = PROVIDER.check(properties(), properties())
    assert found.inputs == properties(carried="")
    assert PROVIDER.diff("id", properties(carried=""), found.inputs).changes is False


def test_a_state_without_the_carried_configs_gets_them_in_one_update(serve: Callable[[str], OneConfigMap]) -> None:
    serve(FILE)
    checked = PROVIDER.check(properties(), properties()).inputs
    assert PROVIDER.diff("id", properties(), checked).changes is True
    outs = PROVIDER.update("id", properties(), checked).outs
    assert outs == properties(carried="")
    again = PROVIDER.check(checked, properties()).inputs
    assert PROVIDER.diff("id", outs, again).changes is False


def test_the_configs_that_nodes_carry_are_an_output_that_the_next_preview_finds_unchanged(
    serve: Callable[[str], OneConfigMap],
) -> None:
    x = '  "x": [{"devices": "all", "mig-enabled": true, "mig-devices": {"2g.20gb": 3}}]\n'
    cluster = serve(FILE + x)
    outs = PROVIDER.create(properties()).outs or {}
    assert parse_configs(outs["carried"]) == {"x": sound_configs({"data": {"config.yaml": FILE + x}})["x"]}
    checked = PROVIDER.check(properties(), properties()).inputs
    assert PROVIDER.diff("id", outs, checked).changes is False
    assert configs(cluster.text).keys() == configs(FILE).keys() | {"x"}


def test_a_config_that_no_node_carries_any_more_leaves_the_output_with_the_file(
    serve: Callable[[str], OneConfigMap],
) -> None:
    serve(parted.dump([DENSE, WIDE]))
    olds = properties(carried=dump_configs(sound_configs({"data": {"config.yaml": parted.dump([WIDE])}})))
    checked = PROVIDER.check(olds, properties()).inputs
    assert (checked["prunedConfigs"], checked["carried"]) == ([WIDE.config_name], "")
    assert (PROVIDER.update("id", olds, checked).outs or {})["carried"] == ""


def test_configs_that_no_node_needs_are_listed_and_removed(serve: Callable[[str], OneConfigMap]) -> None:
    cluster = serve(parted.dump([DENSE, WIDE]))
    inputs = PROVIDER.check(properties(), properties()).inputs
    assert inputs == properties(carried="", prunedConfigs=[WIDE.config_name])
    assert PROVIDER.diff("id", properties(), inputs).changes is True
    assert PROVIDER.update("id", properties(), inputs).outs == properties(carried="")
    assert cluster.text == FILE


def test_a_changed_layout_is_not_drift(serve: Callable[[str], OneConfigMap]) -> None:
    serve(parted.dump([WIDE]))
    inputs = PROVIDER.check(properties(file=parted.dump([WIDE])), properties()).inputs
    assert "drift" not in inputs
    assert inputs["plannedChanges"] == [
        f"config {WIDE.config_name!r} is no longer declared",
        f"new config {DENSE.config_name!r}",
    ], "a preview prints them instead of the file"


def test_another_namespace_is_a_replacement() -> None:
    moved = PROVIDER.diff("id", properties(), properties(namespace="elsewhere"))
    assert (moved.changes, moved.replaces) == (True, ["namespace"])


@pytest.mark.parametrize(
    ("managed", "remedy"),
    [
        (True, "then `pulumi up --refresh`, which installs the GPU Operator again"),
        (False, "install the GPU Operator there"),
    ],
)
def test_a_missing_namespace_is_named_with_what_creates_it_again(
    serve: Callable[[str], OneConfigMap], monkeypatch: pytest.MonkeyPatch, managed: bool, remedy: str
) -> None:
    def fail(*_: object) -> None:
        raise NotFound('answered 404: namespaces "gpu-operator" not found')

    monkeypatch.setattr(serve(FILE), "write_config_map", fail)
    with pytest.raises(LayoutFileFailed, match="namespace gpu-operator is missing") as raised:
        PROVIDER.update("id", properties(), properties(operatorManaged=managed))
    assert remedy in str(raised.value)


def test_a_preview_uses_the_snapshot_of_the_waves_and_an_update_a_fresh_one(
    serve: Callable[[str], OneConfigMap], monkeypatch: pytest.MonkeyPatch
) -> None:
    observed: list[tuple[str, bool]] = []

    def observe(_cluster: object, reports_namespace: str, fresh: bool) -> Snapshot:
        observed.append((reports_namespace, fresh))
        return Snapshot()

    serve(FILE)
    monkeypatch.setattr(layout_file, "observe", observe)
    props = properties(reportsNamespace="mig-fleet")
    PROVIDER.check(props, props)
    PROVIDER.update("id", props, props)
    assert observed == [("mig-fleet", False), ("mig-fleet", True)]


@pytest.mark.parametrize("warn", [False, True])
def test_an_unreachable_cluster_fails_the_preview_unless_the_stack_wants_a_warning(
    monkeypatch: pytest.MonkeyPatch, warn: bool
) -> None:
    def fail(*_: object) -> None:
        raise ClusterUnreachable("the cluster does not answer")

    warnings: list[str] = []
    monkeypatch.setattr(layout_file, "observe", fail)
    monkeypatch.setattr(pulumi.log, "warn", warnings.append)
    props = properties(cluster={"onUnreachable": "warn"} if warn else {}, carried="{}")
    found = PROVIDER.check(props, {key: value for key, value in props.items() if key != "carried"})
    assert found.inputs == props | ({"notObserved": "the cluster does not answer"} if warn else {})
    assert [failure.reason for failure in found.failures] == ([] if warn else [f"the cluster does not answer{WAY_OUT}"])
    assert warnings == (["mig-fleet-layouts: drift was not checked: the cluster does not answer"] if warn else [])


@pytest.mark.parametrize(
    ("text", "drift"),
    [
        ("mig-configs: {a: 2020-99-99}", LACKS_ALL_DISABLED),
        ("mig-configs: {on: [], x: []}", LACKS_ALL_DISABLED),
        ("mig-configs: {~: [], x: []}", NOT_A_FILE),
        ("mig-configs: {[]: []}", NOT_A_FILE),
        ("a: " + "[" * 5000, NOT_A_FILE),
        ("- mig-configs", NOT_A_FILE),
    ],
    ids=["an impossible date", "a boolean and a text as keys", "a null key", "a list as key", "deep", "a list"],
)
def test_whatever_others_wrote_into_the_file_is_drift_and_is_repaired(
    serve: Callable[[str], OneConfigMap], text: str, drift: str
) -> None:
    cluster = serve(text)
    assert drift in PROVIDER.check(properties(), properties()).inputs["drift"]
    assert PROVIDER.update("id", properties(), properties()).outs == properties(carried="")
    assert configs(cluster.text).keys() >= configs(FILE).keys()


def test_a_first_preview_fails_if_the_operator_of_another_owner_is_in_another_namespace(
    serve: Callable[[str], OneConfigMap], monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", warnings.append)
    cluster: Any = serve("")
    monkeypatch.setattr(cluster, "config_map", lambda *_: None)
    cluster.get, cluster.read = (theirs := by_olm()).get, theirs.read
    news = properties(operatorManaged=False)
    set_namespace = "`pulumi config set --path mig-fleet:operator.namespace nvidia-gpu-operator`"
    for olds in ({}, properties(namespace="nvidia-gpu-operator")):
        (failure,) = PROVIDER.check(olds, news).failures
        assert failure.reason.endswith(set_namespace)
    assert not any(set_namespace in text for text in warnings)
    assert PROVIDER.check(news, news).failures == [], "an operator that was uninstalled must not hide other drift"
    assert any(text.endswith(set_namespace) for text in warnings)


def test_an_operator_without_a_pod_of_mig_manager_is_no_mistake(
    serve: Callable[[str], OneConfigMap], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster: Any = serve("")
    monkeypatch.setattr(cluster, "config_map", lambda *_: None)
    cluster.get, cluster.read = (theirs := by_helm()).get, theirs.read
    assert PROVIDER.check({}, properties(operatorManaged=False)).failures == []
    del cluster.get, cluster.read
    assert PROVIDER.check({}, properties()).failures == [], "an operator that this stack installs is not looked for"


@pytest.mark.parametrize(
    ("state", "taints", "shown"),
    [
        ("failed", (), "state 'failed', not isolated"),
        ("success", (labels.TAINT,), "state 'success', isolated by taint mig-fleet.dev/reconfiguring"),
        ("success", (), ""),
    ],
)
def test_a_node_whose_pool_was_removed_is_named_before_it_is_given_back_failed_or_isolated(
    serve: Callable[[str], OneConfigMap],
    monkeypatch: pytest.MonkeyPatch,
    state: str,
    taints: tuple[str, ...],
    shown: str,
) -> None:
    """Pulumi calls no check of a wave that leaves the stack, so nothing else can name its nodes in a preview."""
    serve(FILE)
    warnings: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", warnings.append)
    ours, theirs = ({labels.WAVE: "pool-wave-0", labels.OWNER: f"{id_} acme/gpus/prod"} for id_ in ("1" * 12, "2" * 12))
    found = {labels.CONFIG: DENSE.config_name, labels.STATE: state}
    nodes = {
        name: Node(name, found, annotations, {}, None, taints=frozenset(taints))
        for name, annotations in {"n1": ours, "n2": ours, "n3": theirs, "n4": {}}.items()
    }
    monkeypatch.setattr(layout_file, "observe", lambda *_: Snapshot(nodes))
    props = properties(owner=f"{'1' * 12} acme/gpus/prod")
    checked = PROVIDER.check(props, {**props, "declaredNodes": "n2"})
    assert [line for line in warnings if not is_abandoned(line)] == [
        "n1 is in no pool any more, and under `onDelete: retain` it is given back as it is: config "
        f"{DENSE.config_name}, {shown}; its probe has not reported what NVML shows"
    ] * bool(shown)
    assert list(filter(is_abandoned, warnings)) == checked.inputs.get("unfinishedNodes", []), (
        "a diff alone shows inputs"
    )
    assert bool(taints) == any(map(is_abandoned, warnings)), "n4 belongs to no wave"
    assert "declaredNodes" not in checked.inputs, "it is not stored"
    warnings.clear()
    PROVIDER.check(props, props)
    assert list(filter(is_abandoned, warnings)) == warnings, (
        "a program that names no nodes is not known to have lost one"
    )


def is_abandoned(line: str) -> bool:
    return "no wave owns it" in line or "restores its scheduling by hand" in line

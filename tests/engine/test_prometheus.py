"""A real Prometheus reads a deployed stack on simulated nodes: its rules, alerts and dashboards against the truth."""

import math
import os
import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mig_fleet import toolchain
from mig_fleet.cli.exit_codes import ExitCode
from mig_fleet.model import gpus, labels
from mig_fleet.monitoring import kube_state_metrics, series
from mig_fleet.simulator import Fault, Fleet
from mig_fleet.simulator.faults import XIDS
from mig_fleet.simulator.prometheus import Settings, start, stop
from mig_fleet.simulator.telemetry.activity import ACTIVITY, MEMORY
from tests.engine.deployment import ROOT, TIMEOUT_S, Deployment, baseline, deploy
from tests.monitoring.panels import panels_without_data
from tests.monitoring.runbooks import Command, runbook_commands
from tests.prometheus_api import LivePrometheus, Row, eventually, in_the_end

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]

NAMESPACE = "gpu-operator"
PLUGIN = "nvidia-device-plugin-daemonset"
POOL_OF = {"gpu-node-1": "inference", "gpu-node-2": "mixed", "gpu-node-3": "whole", "gpu-node-4": "training"}
PRICES = {"inference": 8 * 2.5, "mixed": 8 * 2.5, "whole": 8 * 2.5, "training": 4 * 1.6}
Slices = dict[tuple[str, str], float]


@dataclass(frozen=True)
class Scene:
    """The fleet with its pods, and the Prometheus that reads it."""

    fleet: Fleet
    prometheus: LivePrometheus
    settings: Settings
    rules: Path
    dashboards: dict[str, str]

    def expression(self, alert: str) -> str:
        """The alert's condition, without its wait."""
        (found,) = {rule["query"] for rule in self.prometheus.rules() if rule["name"] == alert}
        return str(found)

    def rows(self, alert: str) -> list[Row]:
        """The rows for which the condition holds at the next full minute: there, subqueries of a step of a minute see
        the present values, even if Prometheus has only just started.
        """
        return self.prometheus.query(self.expression(alert), at=math.ceil(time.time() / 60) * 60)

    def slices(self) -> Slices:
        """(node, profile) → the slices that the drivers have."""
        return {
            (node, profile): float(count)
            for node in POOL_OF
            for profile, count in sum((gpu.counts() for gpu in self.fleet.driver(node).gpus), Counter[str]()).items()
        }

    def count_of_slices(self) -> int:
        return int(sum(self.slices().values()))

    def label(self, node: str, changed: dict[str, str | None]) -> None:
        self.fleet.call("patch", f"/api/v1/nodes/{node}", {"metadata": {"labels": changed}})


def data_of(fleet: Fleet, name: str) -> dict[str, str]:
    """The content of a ConfigMap of the stack."""
    found: dict[str, str] = fleet.call("get", f"/api/v1/namespaces/{NAMESPACE}/configmaps/{name}")["data"]
    return found


@pytest.fixture(scope="module")
def programs(promtool: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with kubectl and promtool."""
    folder = tmp_path_factory.mktemp("programs")
    (folder / "promtool").symlink_to(promtool)
    (folder / "kubectl").symlink_to(toolchain.ensure([toolchain.family("kubectl")]).path("kubectl"))
    return folder


def run_pods(fleet: Fleet) -> None:
    """Pods with slices and whole GPUs, busy and idle, and one that finds no slice."""
    for node, namespace, name, requests, activity, memory in (
        ("gpu-node-1", "inference", "serving", {"nvidia.com/mig-1g.10gb": 5}, None, None),
        ("gpu-node-2", "research", "notebook", {"nvidia.com/mig-2g.20gb": 1}, 0, 0.2),
        ("gpu-node-2", "research", "trainer", {"nvidia.com/mig-3g.40gb": 2}, 0.6, 0.5),
        ("gpu-node-3", "research", "whole", {"nvidia.com/gpu": 1}, 0.7, 0.6),
        ("gpu-node-4", "inference", "embedding", {"nvidia.com/mig-3g.40gb": 1}, 1, 0.96),
    ):
        levels = {ACTIVITY: activity, MEMORY: memory}
        annotations = {key: str(level) for key, level in levels.items() if level is not None}
        fleet.run_pod(node, requests, name=name, namespace=namespace, annotations=annotations)
    fleet.run_pod(None, {"nvidia.com/mig-2g.20gb": 9}, name="waits", namespace="research", wait=False)


@pytest.fixture(scope="module")
def scene(project: Deployment, prometheus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One fleet for all tests of this file; each test undoes what it changes."""
    config: dict[str, Any] = baseline(project.fleet)
    config["monitoring"] = {"rules": "configMap", "dashboards": "sidecar"}
    fleet = deploy(project, config).fleet
    run_pods(fleet)
    instance = fleet.driver("gpu-node-1").gpus[0].instances[0].id
    fleet.call("patch", "/api/v1/nodes/gpu-node-1", {"metadata": {"annotations": {XIDS: f"0/{instance}=94"}}})
    (text,) = data_of(fleet, labels.ALERT_RULES).values()
    rules = tmp_path_factory.mktemp("rules") / "deployed.yaml"
    rules.write_text(text)
    boards = [data_of(fleet, name) for name in labels.DASHBOARDS.values()]
    on_labels, on_annotations = (flag.partition("=")[2] for flag in kube_state_metrics.flags())
    settings = Settings(str(prometheus), 1, label_allowlist=on_labels, annotation_allowlist=on_annotations)
    url = start(fleet.directory, settings, [rules])
    made = Scene(fleet, LivePrometheus(url), settings, rules, {k: v for board in boards for k, v in board.items()})
    count, price = made.count_of_slices(), sum(PRICES.values())
    complete = " and on () ".join((
        f"(count({series.MEMORY_USED}) == {count})",
        f"(sum({series.REPORTED}) == {count})",
        f'(sum({series.COST}{{part!="unobserved"}}) > {price - 0.01})',
    ))  # fmt: skip
    eventually(lambda: made.prometheus.query(complete), "every exporter is read and every rule is evaluated")
    yield made
    stop(fleet.directory)
    fleet.call("patch", "/api/v1/nodes/gpu-node-1", {"metadata": {"annotations": {XIDS: None}}})
    for namespace in ("inference", "research"):
        fleet.user_pods.clear(namespace)


@in_the_end
def test_every_rule_of_the_stack_is_evaluated_without_an_error(scene: Scene) -> None:
    wrong = {rule["name"]: rule.get("lastError") for rule in scene.prometheus.rules() if rule["health"] != "ok"}
    assert wrong == {}


@in_the_end
def test_declared_reported_and_offered_slices_are_those_of_the_drivers(scene: Scene) -> None:
    live, truth = scene.prometheus, scene.slices()
    assert live.by(f'{series.DECLARED}{{profile!=""}}', "node", "profile") == truth
    assert live.by(series.REPORTED, "node", "profile") == truth
    offered = live.by(f'{series.ALLOCATABLE}{{resource!="nvidia_com_gpu"}} > 0', "node", "resource")
    assert offered == {
        (node, f"nvidia_com_mig_{re.sub('[^a-z0-9]', '_', profile)}"): count for (node, profile), count in truth.items()
    }
    assert live.by(series.NODE, "node", "pool").keys() == set(POOL_OF.items())


@in_the_end
def test_a_slice_is_one_row_with_the_pod_that_has_it(scene: Scene) -> None:
    live, truth = scene.prometheus, set()
    for node in POOL_OF:
        for gpu in scene.fleet.driver(node).gpus:
            owners = {client.instance: client.name for client in gpu.clients}
            for each in gpu.instances:
                namespace, _, pod = owners.get(each.id, "/").partition("/")
                truth.add((node, gpu.uuid, each.profile, str(each.id), namespace, pod))
    identity = ("node", "uuid", "profile", "slice", "namespace", "pod")
    assert live.by(series.ACTIVITY, *identity).keys() == truth
    assert live.by(series.MEMORY_USED, *identity).keys() == truth
    assert all(row.value == 0 for row in live.query(f'{series.ACTIVITY}{{pod=""}}'))


@in_the_end
def test_activity_is_weighted_by_slices_and_a_board_is_counted_once(scene: Scene) -> None:
    live = scene.prometheus
    boards = {(node, str(gpu.index)) for node in POOL_OF for gpu in scene.fleet.driver(node).gpus}
    for name in (series.POWER, series.TEMPERATURE, series.GPU_ACTIVITY):
        assert live.by(name, "node", "gpu").keys() == boards, name
    (embedding,) = live.query(f'{series.ACTIVITY}{{pod="embedding"}}')
    of_gpu = live.by(series.GPU_ACTIVITY, "node", "gpu")[embedding["node"], embedding["gpu"]]
    assert embedding.value == 1 and of_gpu == pytest.approx(3 / 7), "a busy 3g.40gb is three sevenths of its GPU"
    (whole,) = live.query(f'{series.WHOLE_GPU_ACTIVITY}{{pod="whole"}}')
    assert 0.4 < whole.value < 1 and whole["node"] == "gpu-node-3"


@in_the_end
def test_memory_is_in_bytes_and_its_ratio_is_of_the_slice(scene: Scene) -> None:
    live = scene.prometheus
    (used,) = live.query(f'{series.MEMORY_USED}{{pod="embedding"}}')
    mib = gpus.find("A100-80GB").profile("3g.40gb").memory_mib
    assert mib is not None
    assert used.value == pytest.approx(0.96 * mib * 2**20, rel=1e-3)
    (ratio,) = live.query(f'{series.MEMORY_RATIO}{{pod="embedding"}}')
    assert ratio.value == pytest.approx(0.96, rel=1e-3)


@in_the_end
def test_requests_are_those_of_pods_that_run_and_a_pod_without_a_node_is_pending(scene: Scene) -> None:
    live = scene.prometheus
    requested = live.by(f"sum by (node, resource) ({series.REQUESTED}) > 0", "node", "resource")
    assert requested["gpu-node-1", "nvidia_com_mig_1g_10gb"] == 5
    assert requested["gpu-node-2", "nvidia_com_mig_3g_40gb"] == 2
    pending = live.by(series.PENDING, "namespace", "pod", "resource")
    assert pending == {("research", "waits", "nvidia_com_mig_2g_20gb"): 9}
    assert [row["resource"] for row in scene.rows("MIGPodsPending")] == ["nvidia_com_mig_2g_20gb"]
    assert scene.rows("MIGPoolExhausted") == [], "slices of this profile are free, but fewer than the pod requests"


@in_the_end
def test_the_parts_of_the_cost_add_up_to_the_price_of_the_gpus(scene: Scene) -> None:
    live = scene.prometheus
    assert live.by(series.POOL_COST, "pool") == pytest.approx({(pool,): price for pool, price in PRICES.items()})
    parts = live.by(f"sum by (pool) ({series.COST})", "pool")
    assert parts == pytest.approx({(pool,): price for pool, price in PRICES.items()})
    of_parts = live.by(f"sum by (pool, part) ({series.COST})", "pool", "part")
    assert of_parts["mixed", "idle"] > 0 and of_parts["training", "used"] > 0
    assert of_parts.get(("inference", "unobserved"), 0) == pytest.approx(0)


@in_the_end
def test_alerts_about_slices_name_the_pod_and_give_a_new_one_time(scene: Scene) -> None:
    def pods(rows: list[Row]) -> set[str]:
        return {row["pod"] for row in rows}

    assert pods(scene.rows("MIGSliceMemoryPressure")) == {"embedding"}
    idle = f'max_over_time({series.ACTIVITY}{{pod!=""}}[30m]) < 0.01'
    assert pods(scene.prometheus.query(idle)) == {"notebook"}
    assert scene.rows("MIGSliceIdle") == [], "it has its slice for less than the alert's window"


QUIET = (
    "MIGNodeIsolated",
    "MIGReconfigurationStuck",
    "MIGReconfigurationFailed",
    "MIGNodeLabelsNotExported",
    "MIGTelemetryMissing",
    "MIGSlicesDifferFromConfig",
    "MIGSlicesNotOffered",
)


@pytest.mark.parametrize("alert", QUIET)
@in_the_end
def test_an_alert_about_a_fault_is_quiet_on_a_healthy_fleet(scene: Scene, alert: str) -> None:
    assert scene.rows(alert) == []


def nodes_of(scene: Scene, alert: str) -> list[str]:
    return sorted({row["node"] for row in scene.rows(alert)})


def assert_alert(scene: Scene, alert: str, node: str) -> None:
    """The alert's condition holds for this node only."""
    eventually(lambda: nodes_of(scene, alert) == [node], f"{alert} has rows of {node} and of no other node")


def assert_quiet(scene: Scene, *alerts: str) -> None:
    eventually(lambda: not any(map(scene.rows, alerts)), f"{alerts} have no row")


def test_a_node_whose_exporter_does_not_answer_has_no_telemetry_and_its_cost_is_unobserved(scene: Scene) -> None:
    scene.fleet.inject("gpu-node-1", Fault.EXPORTER_SILENT)
    assert_alert(scene, "MIGTelemetryMissing", "gpu-node-1")
    assert scene.rows("MIGSlicesDifferFromConfig") == [], "nothing is known of its slices"
    unobserved = f'sum by (pool) ({series.COST}{{pool="inference",part="unobserved"}})'
    eventually(lambda: [row.value for row in scene.prometheus.query(unobserved)] == [20.0], "all of it is unobserved")
    scene.fleet.clear_faults("gpu-node-1")
    assert_quiet(scene, "MIGTelemetryMissing", "MIGSlicesDifferFromConfig")


@pytest.fixture
def destroyed(scene: Scene) -> Iterator[str]:
    """A node that lost a slice without a pod; returns the slice's profile. Afterwards it has the slice again."""
    free = next(gpu for gpu in scene.fleet.driver("gpu-node-1").gpus if not gpu.clients)
    profile = scene.fleet.destroy_slice("gpu-node-1", free.index, free.instances[0].start)
    yield profile
    with scene.fleet.driver_file("gpu-node-1").change() as driver:
        driver.gpus[free.index].create(profile)
    scene.fleet.restart_daemon_set(NAMESPACE, PLUGIN)
    assert_quiet(scene, "MIGSlicesDifferFromConfig", "MIGSlicesNotOffered")


def test_a_destroyed_slice_differs_from_the_config_and_after_a_restart_of_the_plugin_is_not_offered(
    scene: Scene, destroyed: str
) -> None:
    missing = [("gpu-node-1", destroyed, -1)]
    eventually(
        lambda: [(r["node"], r["profile"], r.value) for r in scene.rows("MIGSlicesDifferFromConfig")] == missing,
        "one slice is missing",
    )
    assert scene.rows("MIGSlicesNotOffered") == [], "the device plugin has not noticed yet"
    scene.fleet.restart_daemon_set(NAMESPACE, PLUGIN)
    not_offered = [("gpu-node-1", 1)]
    eventually(
        lambda: [(r["node"], r.value) for r in scene.rows("MIGSlicesNotOffered")] == not_offered,
        "one slice is not offered",
    )


def test_a_node_that_is_stuck_or_failed_is_named_and_its_slices_are_not_compared(scene: Scene) -> None:
    for state, alert in (("pending", "MIGReconfigurationStuck"), ("failed", "MIGReconfigurationFailed")):
        scene.label("gpu-node-3", {labels.STATE: state})
        assert_alert(scene, alert, "gpu-node-3")
    scene.label("gpu-node-3", {labels.STATE: "success"})
    assert_quiet(scene, "MIGReconfigurationStuck", "MIGReconfigurationFailed")


@pytest.fixture
def isolated(scene: Scene) -> Iterator[str]:
    """A node that an update isolates."""
    taints = [{"key": labels.TAINT, "effect": "NoSchedule"}]
    scene.fleet.call("patch", "/api/v1/nodes/gpu-node-3", {"spec": {"taints": taints}})
    yield "gpu-node-3"
    scene.fleet.call("patch", "/api/v1/nodes/gpu-node-3", {"spec": {"taints": None}})
    assert_quiet(scene, "MIGNodeIsolated")


def test_an_isolated_node_is_named(scene: Scene, isolated: str) -> None:
    assert_alert(scene, "MIGNodeIsolated", isolated)


RECORDED = (series.ACTIVITY, series.MEMORY_USED, series.MEMORY_RATIO, series.POWER, series.MEMORY_CLOCK)
IDENTITY = ("node", "gpu", "uuid", "model", "profile", "slice", "namespace", "pod", "container")


@pytest.mark.parametrize("fault", [Fault.EXPORTER_OLD, Fault.EXPORTER_RENAMES])
def test_exporters_of_every_version_give_the_same_recorded_series(scene: Scene, fault: Fault) -> None:
    def recorded() -> dict[str, dict[tuple[str, ...], float]]:
        return {name: scene.prometheus.by(f'{name}{{node="gpu-node-4"}}', *IDENTITY) for name in RECORDED}

    raw = {
        Fault.EXPORTER_OLD: 'DCGM_FI_PROF_GR_ENGINE_ACTIVE{Hostname="gpu-node-4"}',
        Fault.EXPORTER_RENAMES: 'DCGM_FI_PROF_GR_ENGINE_UTIL_RATIO{node="gpu-node-4"}',
    }[fault]
    before = eventually(lambda: found if all((found := recorded()).values()) else None, "every series has a value")
    scene.fleet.inject("gpu-node-4", fault)
    eventually(lambda: scene.prometheus.query(raw), "the exporter has another version")
    # Constant loads: the values are equal, too, once the next evaluation has read the new names.
    eventually(lambda: recorded() == before, "the recorded series are the same")
    scene.fleet.clear_faults("gpu-node-4")
    eventually(lambda: not scene.prometheus.query(raw), "the exporter is current")


def test_every_query_of_every_panel_returns_data(scene: Scene, isolated: str) -> None:
    assert_alert(scene, "MIGNodeIsolated", isolated)
    in_the_end(assert_data)(scene)


def assert_data(scene: Scene) -> None:
    assert panels_without_data(scene.prometheus.url, scene.dashboards) == []


READ_ONLY = {
    command.text: command
    for command in runbook_commands()
    if command.is_read_only and command.words[0] != "pulumi"  # many tests run previews, which take long
}


@pytest.mark.parametrize("command", READ_ONLY.values(), ids=READ_ONLY)
def test_a_command_of_a_runbook_that_changes_nothing_succeeds(
    scene: Scene, project: Deployment, programs: Path, command: Command
) -> None:
    values = {
        "STACK": project.stack,
        "NODE": "gpu-node-1",
        "NAMESPACE": "inference",
        "POD": "serving",
        "PROMETHEUS": scene.prometheus.url,
    }
    path = os.pathsep.join((str(programs), str(ROOT / ".venv" / "bin"), project.environment["PATH"]))
    done = subprocess.run(
        command.filled(values),
        cwd=project.folder,
        env={**project.environment, "PATH": path, "KUBECONFIG": str(scene.fleet.kubeconfig)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    # Of minutes of history no advice is known, which has an exit code of its own.
    assert done.returncode == (ExitCode.UNKNOWN if command.verb == "advise" else ExitCode.SUCCESS), done.stdout


def test_labels_of_nodes_that_are_not_exported_are_an_alert_of_their_own(scene: Scene) -> None:
    """The last test of the file: a Prometheus without history, and a kube-state-metrics without allowlists."""
    start(scene.fleet.directory, Settings(scene.settings.program, 1, "without-allowlists"), [scene.rules])
    eventually(lambda: len(scene.rows("MIGNodeLabelsNotExported")) >= 2, "labels and annotations are missing")

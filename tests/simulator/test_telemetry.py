"""The exporters of a running fleet follow its pods, slices and faults, and a real Prometheus scrapes them."""

import json
import re
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from mig_fleet.simulator import Fault
from mig_fleet.simulator.errors import NotStarted
from mig_fleet.simulator.history import Snapshot
from mig_fleet.simulator.prometheus import Settings, start
from mig_fleet.simulator.telemetry import counters
from mig_fleet.simulator.telemetry.exposition import Sample
from mig_fleet.simulator.telemetry.kube_state_metrics import Allowlists
from tests.prometheus_api import LivePrometheus
from tests.simulator.site import NAMESPACE, Site, config_map, daemon_set

pytestmark = pytest.mark.engine

EXPORTER = "nvidia-dcgm-exporter"
ACTIVITY = "DCGM_FI_PROF_GR_ENGINE_ACTIVE"
LIST = f"{ACTIVITY}, gauge, activity\nDCGM_FI_DEV_FB_USED, gauge, used\n"


@pytest.fixture
def exporters(site: Site) -> Site:
    """The site with dcgm-exporter on every node, which reads our list."""
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets"
    if not site.pods(EXPORTER):
        listed = config_map({}, "metrics")
        listed["data"] = {"dcgm-metrics.csv": LIST}
        site.create(f"/api/v1/namespaces/{NAMESPACE}/configmaps", listed)
        body = daemon_set(EXPORTER, "dcgm-exporter")
        body["spec"]["template"]["spec"]["volumes"] = [{"name": "list", "configMap": {"name": "metrics"}}]
        mount = {"name": "list", "mountPath": "/etc/dcgm-exporter"}
        body["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] = [mount]
        site.create(path, body)
    site.eventually(lambda: all(answers(site, node) for node in site.fleet.node_names()), "every exporter answers")
    return site


def url(site: Site) -> str:
    return site.fleet.status().telemetry


def get(address: str) -> str:
    with urllib.request.urlopen(address, timeout=10) as response:
        return str(response.read().decode())


def scrape(site: Site, node: str) -> str:
    return get(f"{url(site)}/nodes/{node}/metrics")


def answers(site: Site, node: str) -> bool:
    try:
        return bool(scrape(site, node))
    except urllib.error.HTTPError:
        return False


def rows(site: Site, node: str, metric: str = ACTIVITY) -> list[str]:
    return [line for line in scrape(site, node).splitlines() if line.startswith(metric)]


def activity_in(snapshot: Snapshot) -> list[Sample]:
    """The activity of all slices and GPUs, as Prometheus stores it."""
    listed = counters.parse(LIST, counters.known_names(renamed=False))
    families = snapshot.scrape(listed, Allowlists(), time.time())
    return [each for family in families if family.name == ACTIVITY for each in family.samples]


def targets(site: Site) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(get(f"{url(site)}/targets"))
    return found


def test_the_series_follow_the_slices_and_the_pods_that_have_them(exporters: Site) -> None:
    site = exporters
    assert len(rows(site, "hopper-1")) == 2, "MIG is off: a row for each GPU"
    site.assign("hopper-1", "dense")
    site.wait_for_success("hopper-1", "dense")
    site.eventually(lambda: answers(site, "hopper-1") and len(rows(site, "hopper-1")) == 14, "a row for each slice")
    name = site.fleet.run_pod("hopper-1", {"nvidia.com/mig-1g.10gb": 3}, name="busy")
    taken = [row for row in rows(site, "hopper-1") if f'pod="{name}"' in row]
    assert len(taken) == 3 and all(float(row.split()[-1]) > 0 for row in taken)
    free = [row for row in rows(site, "hopper-1") if "pod=" not in row]
    assert len(free) == 11 and all(row.endswith(" 0") for row in free)
    assert {row.split("{")[0] for row in scrape(site, "hopper-1").splitlines() if not row.startswith("#")} == {
        ACTIVITY,
        "DCGM_FI_DEV_FB_USED",
    }, "only the fields of the mounted list"
    assert sum(each.labels.get("exported_pod") == name for each in activity_in(site.fleet.snapshot())) == 3
    site.fleet.user_pods.clear()
    site.eventually(lambda: not any("pod=" in row for row in rows(site, "hopper-1")), "the slices are free again")


def test_a_reconfiguration_is_a_gap_because_the_exporter_is_paused(exporters: Site) -> None:
    site = exporters
    assert {each["labels"]["__meta_kubernetes_pod_node_name"] for each in targets(site)} == set(site.fleet.node_names())
    site.fleet.inject("hopper-1", Fault.MANAGER_SLOW)
    site.assign("hopper-1", "dense")
    site.eventually(lambda: not answers(site, "hopper-1"), "the exporter does not run")
    assert len(targets(site)) == 2
    site.wait_for_success("hopper-1", "dense")
    site.eventually(lambda: len(targets(site)) == 3, "it runs again")


def test_a_silent_exporter_stays_a_target_and_a_stale_one_repeats_its_values(exporters: Site) -> None:
    site = exporters
    site.fleet.inject("hopper-1", Fault.EXPORTER_SILENT)
    site.eventually(lambda: not answers(site, "hopper-1"), "its scrapes fail")
    assert len(targets(site)) == 3
    site.fleet.clear_faults("hopper-1")
    site.fleet.run_pod("hopper-2", {"nvidia.com/gpu": 1}, name="busy")
    moving = scrape(site, "hopper-2")
    site.eventually(lambda: scrape(site, "hopper-2") != moving, "the values change")
    site.fleet.inject("hopper-2", Fault.EXPORTER_STALE)
    site.eventually(lambda: scrape(site, "hopper-2") == scrape(site, "hopper-2"), "the values do not change")
    site.fleet.user_pods.clear()
    assert any('pod="busy"' in row for row in rows(site, "hopper-2")), "not even when the pod is gone"
    site.fleet.clear_faults("hopper-2")
    site.eventually(lambda: not any("pod=" in row for row in rows(site, "hopper-2")), "the values are current")


def test_exporters_of_other_versions_have_other_labels_and_names(exporters: Site) -> None:
    site = exporters
    site.fleet.inject("hopper-1", Fault.EXPORTER_OLD)
    site.fleet.inject("hopper-2", Fault.EXPORTER_RENAMES)
    site.eventually(lambda: 'Hostname="hopper-1"' in scrape(site, "hopper-1"), "the old label")
    site.eventually(lambda: rows(site, "hopper-2", "DCGM_FI_DEV_FB_USED_BYTES"), "new names")
    assert not rows(site, "hopper-2", "DCGM_FI_DEV_FB_USED{")


def test_an_exporter_with_a_list_that_it_cannot_use_is_in_a_crash_loop(exporters: Site) -> None:
    site = exporters
    path = f"/api/v1/namespaces/{NAMESPACE}/configmaps/metrics"
    site.fleet.call("patch", path, {"data": {"dcgm-metrics.csv": "DCGM_FI_NONSENSE, gauge, help\n"}})
    assert answers(site, "hopper-1"), "a running pod never reads the file again"
    site.delete_pods("hopper-1", EXPORTER)

    def waits_with(reason: str) -> bool:
        pods = [pod for pod in site.pods(EXPORTER, "hopper-1") if "deletionTimestamp" not in pod["metadata"]]
        return any(reason in json.dumps(pod["status"]) for pod in pods)

    site.eventually(lambda: waits_with("CrashLoopBackOff"), "the exporter ends")
    site.fleet.call("patch", path, {"data": {"dcgm-metrics.csv": LIST}})
    site.eventually(lambda: answers(site, "hopper-1"), "it has a list that it can use")


def test_a_real_prometheus_scrapes_all_exporters_and_evaluates_rules(
    exporters: Site, prometheus: Path, tmp_path: Path
) -> None:
    site, rules = exporters, tmp_path / "own.yaml"
    rule = {"record": "node:activity:ratio", "expr": f"avg by (node) ({ACTIVITY})"}
    rules.write_text(json.dumps({"groups": [{"name": "own", "rules": [rule]}]}))
    settings = Settings(str(prometheus), 1, label_allowlist="nodes=[nvidia.com/mig.config]")
    live = LivePrometheus(start(site.fleet.directory, settings, [rules]))
    nodes = sorted(site.fleet.node_names())
    ratio = "node:activity:ratio"
    site.eventually(lambda: sorted(row["node"] for row in live.query(ratio)) == nodes, "each node has its row")
    site.eventually(lambda: len(live.query("up == 1")) == 4, "all targets are up")
    assert {row["job"] for row in live.query("up")} == {EXPORTER, "kube-state-metrics"}
    labeled = live.query("kube_node_labels")
    assert sorted(row["node"] for row in labeled if row["label_nvidia_com_mig_config"]) == nodes


def test_a_rule_that_prometheus_does_not_accept_is_an_error_with_its_reason(
    exporters: Site, prometheus: Path, tmp_path: Path
) -> None:
    rules = tmp_path / "wrong.yaml"
    rules.write_text(json.dumps({"groups": [{"name": "g", "rules": [{"record": "a:b:c", "expr": "rate("}]}]}))
    with pytest.raises(NotStarted, match=re.compile("exit code.*wrong.yaml", re.DOTALL)):
        start(exporters.fleet.directory, Settings(str(prometheus), 1), [rules])

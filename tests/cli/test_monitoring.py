"""`mig-fleet monitoring`: what Prometheus needs beside the Pulumi program, as text, JSON and files."""

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from mig_fleet.cli.__main__ import main
from mig_fleet.model import labels
from mig_fleet.monitoring.exporter import Generation, metrics_config_map_name, metrics_csv

STACK = """
config:
  mig-fleet:cluster: {context: c}
  mig-fleet:layouts: {dense: {gpu: H100-80GB, all: {1g.10gb: 7}}}
  mig-fleet:pools:
    inference: {gpu: H100-80GB, gpusPerNode: 2, nodes: [n1], layout: dense}
  mig-fleet:prices: {H100-80GB: 2.5}
"""


def stack_file(folder: Path, **sections: Any) -> Path:
    """``STACK``, and further sections."""
    content = yaml.safe_load(STACK)
    content["config"] |= {f"mig-fleet:{name}": value for name, value in sections.items()}
    path = folder / "Pulumi.test.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["monitoring", *map(str, words)], prog_name="mig-fleet")


def as_json(*words: object) -> Any:
    result = run(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def read(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_it_prints_what_to_set_in_kube_state_metrics_and_the_threshold_of_each_alert(tmp_path: Path) -> None:
    result = run("--file", stack_file(tmp_path))
    assert result.exit_code == 0, result.output
    assert "--metric-annotations-allowlist=nodes=[mig-fleet.dev/verified-config,mig-fleet.dev/wave" in result.stdout
    (idle,) = (line.split() for line in result.stdout.splitlines() if "MIGSliceIdle" in line)
    assert idle == ["MIGSliceIdle", "info", "30m", "window", "30m,", "bound", "0.01"]


def test_thresholds_of_the_stack_file_and_alerts_that_are_off_are_shown(tmp_path: Path) -> None:
    alerts = {"sliceIdle": {"wait": "1h", "exceptNamespaces": ["batch"]}, "podsPending": False}
    path = stack_file(tmp_path, monitoring={"alerts": alerts})
    lines = {words[0]: words[1:] for line in run("--file", path).stdout.splitlines() if (words := line.split())}
    assert lines["MIGPodsPending"] == ["off"]
    assert lines["MIGSliceIdle"][1] == "1h" and lines["MIGSliceIdle"][-2:] == ["exceptNamespaces", "batch"]
    found = as_json("--file", path)
    assert found["off"] == ["MIGPodsPending"]
    (idle,) = (each for each in found["alerts"] if each["name"] == "MIGSliceIdle")
    assert idle["forSeconds"] == 3600 and idle["settings"]["exceptNamespaces"] == ["batch"]


def test_the_files_are_those_of_the_json(tmp_path: Path) -> None:
    path, folder = stack_file(tmp_path), tmp_path / "out" / "deeper"
    found = as_json("--file", path, "--out", folder)
    assert found["written"] == str(folder)
    assert read(folder).keys() - {"SHA256SUMS"} == found["files"].keys()
    assert {name: text for name, text in read(folder).items() if name != "SHA256SUMS"} == found["files"]
    assert as_json("--file", path)["written"] is None


def test_every_file_is_read_by_its_consumer_as_it_was_meant(tmp_path: Path) -> None:
    files = as_json("--file", stack_file(tmp_path))["files"]
    names = {name for name in files if not name.startswith("dashboards/")}
    assert names == {
        "dcgm-metrics.csv",
        "kube-prometheus-stack-values.yaml",
        "kube-state-metrics-values.yaml",
        "rules.yaml",
        "scrape-config.yaml",
    }
    boards = {name: json.loads(text)["uid"] for name, text in files.items() if name.startswith("dashboards/")}
    assert boards == {f"dashboards/mig-fleet-{kind}.json": f"mig-fleet-{kind}" for kind in ("fleet", "node", "pool")}
    assert files["dcgm-metrics.csv"] == metrics_csv(Generation.LEGACY)
    groups = yaml.safe_load(files["rules.yaml"])["groups"]
    assert {"record", "alert"} <= {key for group in groups for rule in group["rules"] for key in rule}
    plain = yaml.safe_load(files["kube-state-metrics-values.yaml"])
    assert labels.VERIFIED_CONFIG in plain["metricAnnotationsAllowList"][0]


def test_the_scrape_config_gives_the_pod_of_a_slice_another_label_than_that_of_the_exporter(tmp_path: Path) -> None:
    (scrape,) = yaml.safe_load(as_json("--file", stack_file(tmp_path))["files"]["scrape-config.yaml"])
    assert scrape["honor_labels"] is False
    targets = {each.get("target_label") for each in scrape["relabel_configs"]}
    assert {"namespace", "pod", "container", "node"} <= targets, "without these, `pod` would not become `exported_pod`"


def test_the_values_of_an_operator_that_mig_fleet_does_not_install_are_written(tmp_path: Path) -> None:
    operator = {"managed": False, "version": "v26.7.0"}
    monitoring = {"monitorLabels": {"release": "y"}, "scrapeInterval": "1m"}
    found = run("--file", stack_file(tmp_path, operator=operator, monitoring=monitoring), "--out", tmp_path / "out")
    assert found.exit_code == 0, found.output
    text = (tmp_path / "out" / "gpu-operator-values.yaml").read_text()
    assert 'release: "y"' in text, "Helm's YAML reads an unquoted y as a boolean"
    exporter = yaml.safe_load(text)["dcgmExporter"]
    assert exporter["config"]["name"] == metrics_config_map_name(Generation.LEGACY)
    assert exporter["serviceMonitor"]["interval"] == "60s" and exporter["serviceMonitor"]["enabled"] is True


def test_the_list_of_metrics_follows_the_exporter_that_the_values_name(tmp_path: Path) -> None:
    path = stack_file(tmp_path, operator={"values": {"dcgmExporter": {"version": "4.9.0-distroless"}}})
    assert as_json("--file", path)["files"]["dcgm-metrics.csv"] == metrics_csv(Generation.RENAMED)


def test_a_folder_of_dashboards_needs_two_values_of_grafanas_sidecar(tmp_path: Path) -> None:
    def grafana(**monitoring: Any) -> Any:
        files = as_json("--file", stack_file(tmp_path, monitoring=monitoring))["files"]
        return yaml.safe_load(files["kube-prometheus-stack-values.yaml"]).get("grafana")

    assert grafana() is None
    sidecar = grafana(folder="GPU")["sidecar"]["dashboards"]
    assert sidecar == {"folderAnnotation": "grafana_folder", "provider": {"foldersFromFilesStructure": True}}


@pytest.mark.parametrize(
    ("sections", "text"),
    [
        ({}, "set monitoring.serviceMonitor to true"),
        ({"monitoring": {"rules": "prometheusRule"}}, "selects only objects with the label `release:"),
    ],
)
def test_what_would_stay_without_effect_is_named(sections: dict[str, Any], text: str, tmp_path: Path) -> None:
    assert text in run("--file", stack_file(tmp_path, **sections)).stdout


def test_a_stack_that_declares_all_of_it_has_nothing_to_be_named(tmp_path: Path) -> None:
    monitoring = {"rules": "prometheusRule", "serviceMonitor": True, "monitorLabels": {"release": "kps"}}
    stdout = run("--file", stack_file(tmp_path, monitoring=monitoring)).stdout
    assert "monitoring.serviceMonitor" not in stdout and "monitorLabels" not in stdout


# The folder


def test_the_same_stack_file_writes_the_same_files_again(tmp_path: Path) -> None:
    path, folder = stack_file(tmp_path), tmp_path / "out"
    first, before = run("--file", path, "--out", folder), read(folder)
    assert first.exit_code == 0
    assert run("--file", path, "--out", folder).exit_code == 0
    assert read(folder) == before


def test_the_sums_are_those_of_the_files(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    run("--file", stack_file(tmp_path), "--out", folder)
    sums = [line.split("  ") for line in (folder / "SHA256SUMS").read_text().splitlines()]
    assert all(hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest for digest, name in sums)
    assert {name for _, name in sums} == read(folder).keys() - {"SHA256SUMS"}


def test_a_file_that_is_no_longer_generated_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    run("--file", stack_file(tmp_path, operator={"managed": False}), "--out", folder)
    assert (folder / "gpu-operator-values.yaml").exists()
    assert run("--file", stack_file(tmp_path), "--out", folder).exit_code == 0
    assert not (folder / "gpu-operator-values.yaml").exists()


@pytest.mark.parametrize("changed", [False, True], ids=["of another program", "changed by a user"])
def test_a_foreign_file_is_never_replaced(changed: bool, tmp_path: Path) -> None:
    path, folder = stack_file(tmp_path), tmp_path / "out"
    folder.mkdir()
    if changed:
        run("--file", path, "--out", folder)
    (folder / "rules.yaml").write_text("mine")
    before = read(folder)
    result = run("--file", stack_file(tmp_path, operator={"managed": False}), "--out", folder)
    assert result.exit_code == 1
    assert "rules.yaml" in result.stderr and "--out FOLDER" in result.stderr
    assert read(folder) == before, "nothing is written if one file cannot be"


def test_sums_that_lead_out_of_the_folder_remove_nothing(tmp_path: Path) -> None:
    folder, outside = tmp_path / "out", tmp_path / "precious"
    folder.mkdir()
    outside.write_text("x")
    digest = hashlib.sha256(b"x").hexdigest()
    (folder / "SHA256SUMS").write_text(f"{digest}  ../precious\n{digest}  {outside}\n")
    assert run("--file", stack_file(tmp_path), "--out", folder).exit_code == 0
    assert outside.exists()


def test_nothing_is_written_through_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    folder, outside = tmp_path / "out", tmp_path / "outside"
    folder.mkdir()
    (folder / "rules.yaml").symlink_to(outside)
    result = run("--file", stack_file(tmp_path), "--out", folder)
    assert result.exit_code == 1 and "rules.yaml" in result.stderr
    assert not outside.exists()


def test_sums_that_are_not_text_are_those_of_no_file(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "SHA256SUMS").write_bytes(b"\xff\xfe")
    assert run("--file", stack_file(tmp_path), "--out", folder).exit_code == 0


def test_the_file_that_prevents_a_folder_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "dashboards").write_text("mine")
    result = run("--file", stack_file(tmp_path), "--out", folder)
    assert result.exit_code == 1 and f"{folder / 'dashboards'}: " in result.stderr


def test_a_stack_file_with_mistakes_writes_nothing(tmp_path: Path) -> None:
    result = run("--file", stack_file(tmp_path, monitoring={"rules": "all"}), "--out", tmp_path / "out")
    assert result.exit_code == 1 and "monitoring.rules" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.engine
@pytest.mark.parametrize("stack", ["local", "prod"])
def test_prometheus_accepts_the_rules_and_the_scrape_config(stack: str, promtool: str, tmp_path: Path) -> None:
    assert run("--stack", stack, "--out", tmp_path).exit_code == 0
    (scrape,) = yaml.safe_load((tmp_path / "scrape-config.yaml").read_text())
    # Debian builds Prometheus without the discovery of Kubernetes.
    scrape["static_configs"] = [{"targets": ["localhost:9400"]}] if scrape.pop("kubernetes_sd_configs") else []
    config = {"rule_files": ["rules.yaml"], "scrape_configs": [scrape]}
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    for words in (("config", "prometheus.yml"), ("rules", "--lint=all", "--lint-fatal", "rules.yaml")):
        done = subprocess.run([promtool, "check", *words], check=False, capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr

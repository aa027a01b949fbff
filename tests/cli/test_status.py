"""`mig-fleet status`: every node with what it has, also after an update that did not reach all of them."""

import io
import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from mig_fleet.cli import live_status, status
from mig_fleet.cli.__main__ import main
from mig_fleet.cluster.errors import ClusterUnreachable
from mig_fleet.model import labels
from mig_fleet.model.allocation import NOT_ASKED, Allocation
from mig_fleet.model.formatting import format_gpus, parse_per_gpu
from mig_fleet.observed.snapshot import Node, Snapshot
from tests.memory.fixtures import a_node
from tests.memory.fleet import DENSE, a_gpu

__all__ = ["a_node"]

NEW, OLD = DENSE.config_name, "wide-ea45f71e"
DENSE_SLICES = "GPU 0-1: 7x 1g.10gb"
STACK_FILE = """
config:
  mig-fleet:cluster: {context: c}
  mig-fleet:layouts: {dense: {gpu: H100-80GB, all: {1g.10gb: 7}}}
  mig-fleet:pools: {serving: {gpu: H100-80GB, gpusPerNode: 2, nodes: [n1, n2, n3], layout: dense}}
"""


def resource(kind: str, config: str, **outputs: Any) -> dict[str, Any]:
    return {
        "type": f"pulumi-python:dynamic/mig:{kind}",
        "parent": "urn:pulumi:prod::mig-fleet::mig-fleet:index:Pool::serving",
        "outputs": {"expected": {"config": config}, **outputs},
    }


def stack(**outputs: Any) -> dict[str, Any]:
    return {"type": "pulumi:pulumi:Stack", "outputs": outputs}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the stack file of stack `prod`."""
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "Pulumi.prod.yaml").write_text(STACK_FILE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def show(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """What the command prints of a state with these resources, without the blanks between columns."""

    def run(*resources: dict[str, Any]) -> list[str]:
        answer = json.dumps({"deployment": {"resources": list(resources)}})
        monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0, answer, ""))
        console = Console(file=io.StringIO(), width=100, color_system=None)
        workspace: Any = SimpleNamespace(pulumi=Path("pulumi"), state=project, environment=dict)
        status.show(workspace, "prod", console)
        assert isinstance(console.file, io.StringIO)
        return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]

    return run


# The state of the stack


def test_after_a_complete_update_the_capacity_is_that_of_all_nodes(show: Callable[..., list[str]]) -> None:
    verified = resource("Verification", NEW, slices=dict.fromkeys(("n1", "n2", "n3"), DENSE_SLICES))
    lines = show(stack(capacity={"nvidia.com/mig-1g.10gb": 42.0}, cost={"perHourUsd": 15}), verified)
    assert lines[-2:] == ["Capacity: 42 nvidia.com/mig-1g.10gb", "Cost: $15.00 per hour"]
    assert not any("not " in line for line in lines[2:])


def test_after_a_first_update_that_failed_every_node_is_listed_and_only_verified_ones_count(
    show: Callable[..., list[str]],
) -> None:
    lines = show(
        stack(),
        resource("Assignment", NEW, nodes=["n1"]),
        resource("Verification", NEW, slices={"n1": DENSE_SLICES}),
        resource("Assignment", NEW, nodes=["n2"]),
    )
    assert "n1 serving 0-1 7x 1g.10gb" in lines
    assert "n2 serving not verified: the last update did not get that far" in lines
    assert "n3 serving not reconfigured yet" in lines, "the stack file lists it, and no update has reached it"
    assert lines[-1] == "Capacity of the 1 verified of 3 nodes: 14 nvidia.com/mig-1g.10gb"


def test_a_wave_with_a_newer_assignment_is_not_shown_with_its_old_slices(show: Callable[..., list[str]]) -> None:
    lines = show(
        stack(capacity={"nvidia.com/mig-3g.40gb": 12}),
        resource("Assignment", NEW, nodes=["n1", "n2"]),
        resource("Verification", OLD, slices=dict.fromkeys(("n1", "n2"), "GPU 0-1: 2x 3g.40gb")),
        resource("Assignment", OLD, nodes=["n3"]),
        resource("Verification", OLD, slices={"n3": "GPU 0-1: 2x 3g.40gb"}),
    )
    assert "n1 serving not verified: the last update did not get that far" in lines
    assert lines[-2:] == [
        "Capacity of the 1 verified of 3 nodes: 4 nvidia.com/mig-3g.40gb",
        "The last complete update declared: 12 nvidia.com/mig-3g.40gb",
    ]


def test_a_wave_that_waits_keeps_its_verified_slices(show: Callable[..., list[str]]) -> None:
    lines = show(
        resource("Assignment", NEW, nodes=["n1", "n2", "n3"], held=True),
        resource("Verification", OLD, slices=dict.fromkeys(("n1", "n2", "n3"), "GPU 0-1: 2x 3g.40gb")),
    )
    assert "n1 serving 0-1 2x 3g.40gb" in lines


@pytest.mark.parametrize(
    "per_gpu", [({"1g.10gb": 7}, None, {}), ({"3g.40gb": 1, "1g.10gb": 2},) * 3, ({"1g.10gb+me": 1}, {"1g.10gb": 1})]
)
def test_the_text_of_slices_can_be_read_back(per_gpu: tuple[dict[str, int] | None, ...]) -> None:
    assert parse_per_gpu(format_gpus(dict(enumerate(per_gpu)))) == per_gpu
    assert parse_per_gpu("no report") == ()


# The cluster


@pytest.fixture
def live(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[str, dict[str, Any]]]:
    """What the command prints of these nodes, as text and as JSON."""

    def run(*nodes: Node, pods: tuple[str, ...] = ()) -> tuple[str, dict[str, Any]]:
        bodies = [{"metadata": {"namespace": "team", "name": name}} for name in pods]
        monkeypatch.setattr(live_status, "observe", lambda *_, **__: Snapshot({node.name: node for node in nodes}))
        monkeypatch.setattr(live_status, "Cluster", lambda _: SimpleNamespace(pods=lambda: bodies))
        words = ["status", "--stack", "prod", "--live"]
        text, data = CliRunner().invoke(main, words), CliRunner().invoke(main, [*words, "--json"])
        assert text.exit_code == data.exit_code == 0, text.output + data.output
        return "\n".join(" ".join(line.split()) for line in text.output.splitlines()), json.loads(data.output)

    assert project.is_dir()
    return run


def as_declared(a_node: Callable[..., Node], name: str, **changes: Any) -> Node:
    """A node of the wave, as declared; ``report`` are changes of its report."""
    node = a_node(name=name, config=NEW)
    assert node.report is not None
    own = replace(node.report, node=name, config=NEW, **changes.pop("report", {}))
    return replace(
        node,
        report=own,
        labels={**node.labels, labels.STRATEGY: "mixed"},
        annotations={**node.annotations, labels.WAVE: "serving-wave-0"},
        **changes,
    )


def test_brackets_and_control_characters_of_a_node_are_text(
    a_node: Callable[..., Node], live: Callable[..., tuple[str, dict[str, Any]]]
) -> None:
    errors = ("GPU 0: [/] [link=https://x]:smile:",)
    text, _ = live(as_declared(a_node, "n1", report={"errors": errors}))
    assert f"n1: {errors[0]}" in text.splitlines()


def test_a_node_that_cannot_be_shown_hides_no_other(
    a_node: Callable[..., Node],
    live: Callable[..., tuple[str, dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = live_status._node

    def fail_on_n1(pool: Any, declared: Any, node: Node | None, *rest: Any) -> live_status.LiveNode:
        if node is not None and node.name == "n1":
            raise ValueError("\x1b[2K")
        return one(pool, declared, node, *rest)

    monkeypatch.setattr(live_status, "_node", fail_on_n1)
    text, data = live(as_declared(a_node, "n1"), as_declared(a_node, "n2"))
    assert r"n1: cannot be shown: ValueError: \x1b[2K (test_status.py:" in text
    assert data["nodes"]["n2"]["slices"] == "GPU 0-1: 7x 1g.10gb"


def test_every_node_is_shown_with_what_it_has_now(
    a_node: Callable[..., Node], live: Callable[..., tuple[str, dict[str, Any]]]
) -> None:
    failed = as_declared(
        a_node,
        "n2",
        taints=frozenset({labels.TAINT}),
        allocatable={},
        report={"state": "failed", "gpus": (a_gpu(0, {"3g.40gb": 2}), a_gpu(1, None))},
    )
    failed = replace(failed, labels={**failed.labels, labels.STATE: "failed"})
    text, data = live(as_declared(a_node, "n1"), failed)
    lines = text.splitlines()
    assert f"n1 serving {NEW} 0-1 7x 1g.10gb" in lines
    assert f"n2 serving {NEW} 0 2x 3g.40gb" in lines
    assert "isolated serving-wave-0 failed 1 MIG off" in lines
    assert f"n2: could not apply '{NEW}'" in lines
    assert "n3 serving no config not known" in lines
    assert "n3: is not in the cluster" in lines
    assert data["nodes"]["n2"]["isolated"] is True
    assert data["nodes"]["n3"]["slices"] is None
    assert data["resources"] == {
        "nvidia.com/gpu": {"nvml": 1, "offered": 0, "allocated": 0, "declared": 0},
        "nvidia.com/mig-1g.10gb": {"nvml": 14, "offered": 14, "allocated": 0, "declared": 42},
        "nvidia.com/mig-3g.40gb": {"nvml": 2, "offered": 0, "allocated": 0, "declared": 0},
    }


def test_under_strategy_single_slices_are_counted_as_gpus(
    a_node: Callable[..., Node], live: Callable[..., tuple[str, dict[str, Any]]], project: Path
) -> None:
    file = project / "stacks" / "Pulumi.prod.yaml"
    file.write_text(f"{file.read_text()}\n  mig-fleet:operator: {{strategy: single}}\n")
    _, data = live(as_declared(a_node, "n1", allocatable={"nvidia.com/gpu": 14}))
    assert data["resources"] == {"nvidia.com/gpu": {"nvml": 14, "offered": 14, "allocated": 0, "declared": 42}}


def test_a_lost_slice_is_named_also_if_the_node_gets_another_config_name(
    a_node: Callable[..., Node], live: Callable[..., tuple[str, dict[str, Any]]], project: Path
) -> None:
    """A node that keeps its own name gets the layout's one with the repair."""
    file = project / "stacks" / "Pulumi.prod.yaml"
    file.write_text(file.read_text().replace("layout: dense", "layout: dense, configName: keep"))
    node = as_declared(a_node, "n1")
    assert node.report is not None
    gpus = (a_gpu(0, {"1g.10gb": 7}), a_gpu(1, {"1g.10gb": 6}))
    report = replace(node.report, config="theirs", gpus=gpus)
    node = replace(node, report=report, labels={**node.labels, labels.CONFIG: "theirs"})
    _, data = live(node)
    assert data["nodes"]["n1"]["differences"] == [
        f"carries config 'theirs', expected '{NEW}'",
        "GPU 1: expected 7x 1g.10gb, found 6x 1g.10gb",
    ]


def test_pods_are_shown_with_their_slices_and_pods_that_are_gone_are_not(
    a_node: Callable[..., Node], live: Callable[..., tuple[str, dict[str, Any]]]
) -> None:
    of_web = Allocation("team", "web", "nvidia.com/mig-1g.10gb", 0, 7, 0)
    of_gone = Allocation("team", "gone", "nvidia.com/mig-1g.10gb", 0, 8, 0)
    text, data = live(as_declared(a_node, "n1", report={"allocations": (of_web, of_gone)}), pods=("web",))
    assert "n1 team/web nvidia.com/mig-1g.10gb GPU 0, GPU instance 7" in text.splitlines()
    assert "gone" not in text
    assert [it["gpuInstanceId"] for it in data["nodes"]["n1"]["allocations"]] == [7]
    assert data["resources"]["nvidia.com/mig-1g.10gb"]["allocated"] == 1


def test_the_reason_is_shown_if_it_is_not_known_who_has_the_slices(
    a_node: Callable[..., Node], live: Callable[..., tuple[str, dict[str, Any]]]
) -> None:
    text, data = live(as_declared(a_node, "n1", report={"allocations_error": NOT_ASKED}))
    assert f"n1: who has its slices is not known: {NOT_ASKED}" in text
    assert data["nodes"]["n1"]["allocations"] is None


def test_a_report_from_before_the_last_change_proves_no_slices(
    a_node: Callable[..., Node], live: Callable[..., tuple[str, dict[str, Any]]]
) -> None:
    text, data = live(as_declared(a_node, "n1", report={"attempt": "0"}))
    assert f"n1 serving {NEW} not known" in text.splitlines()
    assert data["resources"]["nvidia.com/mig-1g.10gb"]["nvml"] == 0


def test_a_node_that_left_its_pool_and_one_that_we_isolated_are_shown(
    a_node: Callable[..., Node], live: Callable[..., tuple[str, dict[str, Any]]]
) -> None:
    isolated = a_node(name="n9", taints=frozenset({labels.TAINT}))
    text, data = live(as_declared(a_node, "n8"), isolated, a_node(name="cpu-node"))
    assert f"n8 no pool {NEW} 0-1 7x 1g.10gb" in text.splitlines()
    assert sorted(data["nodes"]) == ["n1", "n2", "n3", "n8", "n9"]


def test_a_cluster_that_does_not_answer_is_one_error(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ClusterUnreachable("the cluster at https://fleet does not answer: timed out")

    monkeypatch.setattr(live_status, "observe", fail)
    result = CliRunner().invoke(main, ["status", "--stack", "prod", "--live"])
    assert result.exit_code == 1
    assert result.output == "Error: the cluster at https://fleet does not answer: timed out\n"


def test_a_missing_stack_file_is_one_error(project: Path) -> None:
    result = CliRunner().invoke(main, ["status", "--stack", "nosuch", "--live"])
    assert result.exit_code == 1
    assert "Pulumi.nosuch.yaml" in result.output

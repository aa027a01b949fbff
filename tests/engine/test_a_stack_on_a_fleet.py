"""The complete product on the real engine and the real API server."""

import re
from typing import Any

import pytest

from mig_fleet.simulator import Fault
from tests.engine.deployment import Deployment, Outcome

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]

MOST_LINES = 65
"""Of `preview --diff` about the resources of one node's new layout: a third are their names and URNs."""
HASHED = re.compile(r"-[0-9a-f]{8}$")


def gpu_resources(node: dict[str, Any]) -> dict[str, str]:
    """The GPU resources that a node offers."""
    allocatable = node["status"]["allocatable"]
    return {k: n for k, n in allocatable.items() if k.startswith("nvidia.com/") and n != "0"}


def test_a_new_stack_gets_its_declared_layouts_and_verifies_them_through_nvml(deployed: Deployment) -> None:
    nodes = deployed.nodes()
    assert {name: gpu_resources(node) for name, node in nodes.items()} == {
        "gpu-node-1": {"nvidia.com/mig-1g.10gb": "56"},
        "gpu-node-2": {
            "nvidia.com/mig-1g.10gb": "16",
            "nvidia.com/mig-2g.20gb": "8",
            "nvidia.com/mig-3g.40gb": "8",
        },
        "gpu-node-3": {"nvidia.com/gpu": "8"},
        "gpu-node-4": {"nvidia.com/mig-3g.40gb": "4", "nvidia.com/mig-1g.10gb": "14"},
    }
    found = deployed.config_and_state()
    assert {state for _, state in found.values()} == {"success"}
    assert found["gpu-node-3"][0] == "all-disabled"
    assert all(HASHED.search(found[f"gpu-node-{n}"][0] or "") for n in (1, 2, 4)), found
    assert deployed.slices() == {
        "gpu-node-1": {"0-7": "7x 1g.10gb"},
        "gpu-node-2": {"0-7": "3g.40gb + 2g.20gb + 2x 1g.10gb"},
        "gpu-node-3": {"0-7": "MIG off"},
        "gpu-node-4": {"0-1": "2x 3g.40gb", "2-3": "7x 1g.10gb"},
    }


def test_an_impossible_layout_fails_the_preview_with_one_message_and_changes_nothing(deployed: Deployment) -> None:
    before = labels_and_annotations(deployed)
    deployed.layouts["inference-dense"] = {"gpu": "H100-80GB", "all": {"3g.40gb": 2, "1g.10gb": 1}}
    outcome = deployed.preview()
    assert outcome.status != 0
    assert outcome.diagnostics.count("has 1 problem(s)") == 1, outcome.text
    assert "1g.10gb" in outcome.text and "3g.40gb" in outcome.text
    assert "Traceback" not in outcome.text
    assert labels_and_annotations(deployed) == before


def test_an_unknown_profile_fails_the_preview_with_the_nearest_name(deployed: Deployment) -> None:
    before = labels_and_annotations(deployed)
    deployed.layouts["inference-dense"] = {"gpu": "H100-80GB", "all": {"1g.1gb": 7}}
    outcome = deployed.preview()
    assert outcome.status != 0
    assert "layouts.inference-dense.all.1g.1gb" in outcome.text, outcome.text
    assert "did you mean '1g.10gb'" in outcome.text
    assert "Traceback" not in outcome.text
    assert labels_and_annotations(deployed) == before


def test_a_second_update_changes_nothing(deployed: Deployment) -> None:
    deployed.prune()
    again = deployed.up("--expect-no-changes")
    assert again.status == 0, again.text


def test_a_slice_that_another_user_destroys_is_drift_in_a_plain_preview_and_the_next_update_restores_it(
    deployed: Deployment,
) -> None:
    deployed.fleet.destroy_slice("gpu-node-1", gpu=0, start=3)
    found = {"0": "6x 1g.10gb", "1-7": "7x 1g.10gb"}
    deployed.wait_for_report("gpu-node-1", found)
    drift = "slice missing: gpu-node-1: GPU 0: expected 7x 1g.10gb, found 6x 1g.10gb"
    seen = deployed.preview("--diff")
    assert drift in seen and "drift" in seen.text, seen.text
    refreshed = deployed.run("refresh", "--yes", "--skip-preview")
    assert refreshed.status == 0, refreshed.text
    assert deployed.slices_in_state("gpu-node-1") == found, "a refresh only reads"
    assert drift in deployed.preview("--diff"), "the slices in the state are not the declared ones"
    repaired = deployed.up()
    assert repaired.status == 0, repaired.text
    assert deployed.slices()["gpu-node-1"] == {"0-7": "7x 1g.10gb"}
    unchanged = deployed.preview("--expect-no-changes")
    assert unchanged.status == 0, unchanged.text
    assert "Outputs:" not in unchanged.text, "no output of the stack changes"


def test_a_change_is_previewed_and_completed_by_an_update_after_the_one_that_failed_and_touches_no_other_node(
    deployed: Deployment,
) -> None:
    before, attempts = deployed.config_and_state(), deployed.attempts()
    deployed.layouts["inference-dense"] = {"gpu": "H100-80GB", "all": {"2g.20gb": 3}}
    first = deployed.preview("--diff")
    assert "gpu-node-1: GPU 0-7: 7x 1g.10gb → 3x 2g.20gb" in first, first.text
    assert len(printed_resources(first)) <= MOST_LINES, first.text

    deployed.fleet.inject("gpu-node-1", Fault.MANAGER_CREATES_NOTHING)
    deployed.pools["inference"]["rollout"] = {"timeout": "1m"}
    failed = deployed.up()
    assert failed.status != 0
    assert "layout lost: gpu-node-1: GPU 0: expected 3x 2g.20gb, found no slices" in failed.text, failed.text
    assert "Traceback" not in failed.text and 'File "' not in failed.text, failed.text
    assert "error: 1 of 1 nodes of inference-wave-0 are not as the stack declares:" in failed.diagnostics, failed.text
    outputs = failed.text.partition("\nOutputs:")[2]
    assert "inference-dense" in outputs and "- " not in outputs, "a failed update removes no output of the stack"
    assert "kubectl -n gpu-operator logs" in failed.text

    deployed.fleet.clear_faults("gpu-node-1")
    deployed.pools["inference"]["rollout"] = {"timeout": "5m"}
    repaired = deployed.up()
    assert repaired.status == 0, repaired.text
    after = deployed.config_and_state()
    assert after["gpu-node-1"][0] != before["gpu-node-1"][0], "a changed layout gets a new name"
    assert (after["gpu-node-1"][0] or "").startswith("inference-dense-")
    assert deployed.slices()["gpu-node-1"] == {"0-7": "3x 2g.20gb"}
    others = ("gpu-node-2", "gpu-node-3", "gpu-node-4")
    assert {n: after[n] for n in others} == {n: before[n] for n in others}
    now = deployed.attempts()
    assert {n: now[n] for n in others} == {n: attempts[n] for n in others}, "a node of another pool was written to"

    deployed.layouts["inference-dense"] = {"gpu": "H100-80GB", "all": {"3g.40gb": 2}}
    second = deployed.preview("--diff")
    lines = printed_resources(second)
    assert "gpu-node-1: GPU 0-7: 3x 2g.20gb → 2x 3g.40gb" in second, second.text
    assert "1g.10gb" not in "".join(lines), "the layout before the last update"
    assert len(lines) <= MOST_LINES, second.text
    assert [line for line in lines if line.startswith("-")] == [], second.text


def printed_resources(preview: Outcome) -> list[str]:
    """The lines of `preview --diff` about resources, without indentation."""
    return [line.strip() for line in preview.text.partition("--outputs:--")[0].splitlines()]


def labels_and_annotations(deployment: Deployment) -> dict[str, object]:
    """What our writes to the nodes change."""
    return {
        name: (node["metadata"]["labels"], node["metadata"].get("annotations"))
        for name, node in deployment.nodes().items()
    }

"""Text of other people's objects reaches no terminal as it is, no path of a request, and no command without quotes."""

import shlex
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from mig_fleet.model import labels
from mig_fleet.observed.configs.manager_file import config_maps_read, policy_config_map
from mig_fleet.observed.differences import config_changed, node_differences, taken_over
from mig_fleet.observed.expected import Expected
from mig_fleet.observed.gpus.affected import affected_gpus
from mig_fleet.observed.gpus.pods import gpu_pods
from mig_fleet.observed.label_writer import config_writer
from mig_fleet.observed.objects import Metadata
from mig_fleet.observed.snapshot import Node
from mig_fleet.rollout.isolation import restore_command
from mig_fleet.rollout.stranding.scheduler_message import scheduler_message
from tests.memory.fleet import PROBES, Fleet

HOSTILE = "\x1b[2K\rverified\x1b]52;c;cm0=\x07\u202e\n"
ESCAPED = r"\x1b[2K\rverified\x1b]52;c;cm0=\x07\u202e\n"
Nodes = Callable[..., Node]


def a_pod(**metadata: Any) -> dict[str, Any]:
    limits = {"nvidia.com/gpu": "1"}
    return {
        "metadata": {"name": "web-1", "namespace": "team", **metadata},
        "spec": {"nodeName": "n1", "containers": [{"name": "main", "resources": {"limits": limits}}]},
    }


def test_the_owner_of_a_pod_is_printed_with_escapes() -> None:
    pod = a_pod(ownerReferences=[{"kind": HOSTILE, "name": HOSTILE, "controller": True}])
    assert [str(it) for it in gpu_pods([pod], "gpu-operator")] == [f"team/web-1 ({ESCAPED} {ESCAPED}) holds 1x gpu"]
    assert gpu_pods([a_pod(ownerReferences=[{"controller": True}])], "gpu-operator"), "an owner without kind and name"


@pytest.mark.parametrize("time", [HOSTILE, "yesterday", "9" * 5000, 7, "2026-01-01T00:00:00"])
def test_a_pod_whose_times_cannot_be_read_is_of_unknown_age(time: Any) -> None:
    known = "2026-01-01T00:00:00Z"
    pod = a_pod(creationTimestamp=known)
    assert gpu_pods([pod], "gpu-operator")[0].created is not None
    pod["status"] = {"conditions": [{"type": "PodScheduled", "lastTransitionTime": time}]}
    assert gpu_pods([pod], "gpu-operator")[0].created is None


def test_the_schedulers_message_is_printed_with_escapes() -> None:
    pod = a_pod() | {"status": {"conditions": [{"type": "PodScheduled", "status": "False", "message": HOSTILE}, {}]}}
    assert scheduler_message(pod) == ESCAPED


def test_the_writer_of_a_label_is_printed_with_escapes(a_node: Nodes) -> None:
    entry = {"manager": HOSTILE, "fieldsV1": {"f:metadata": {"f:labels": {f"f:{labels.CONFIG}": {}}}}}
    document = msgspec.json.encode({"name": "n1", "uid": "u", "managedFields": [entry]})
    writer = config_writer(msgspec.json.decode(document, type=Metadata).managed_fields)
    assert str(config_changed(a_node(config_writer=writer), "other")).endswith(f"; written by {ESCAPED}")


def test_the_wave_that_a_node_records_is_short(a_node: Nodes) -> None:
    node = a_node(annotations={labels.WAVE: "w" * 1000})
    assert len(taken_over(node, "pool-wave-0").text) < 300


def test_the_probes_state_and_its_log_are_printed_with_escapes(fleet: Fleet) -> None:
    from mig_fleet.observed.probe_health import Probes

    def problem() -> str:
        return Probes({}, PROBES).problems({"n1": {}})["n1"].text

    for state in ({"waiting": {"reason": HOSTILE, "message": HOSTILE}}, {"terminated": {"message": HOSTILE}}):
        fleet.probe_pod("n1", containerStatuses=[{"state": state}])
        assert problem().isprintable() and r"verified\x1b]52;c;" in problem()
    name = fleet.probe_pod("n1")
    fleet.logs[name] = HOSTILE.strip()
    assert problem().isprintable() and r"verified\x1b]52;c;" in problem()


@pytest.mark.parametrize("name", [HOSTILE, "../../../secrets", "a b", "", "x" * 300, "a/b?c"])
def test_a_name_that_no_config_map_can_have_is_not_requested(name: str) -> None:
    mounts = [{"name": "layouts", "mountPath": "/mig-parted-config"}]
    spec = {"containers": [{"volumeMounts": mounts}], "volumes": [{"name": "layouts", "configMap": {"name": name}}]}
    assert config_maps_read({"spec": spec}) == []
    assert policy_config_map([{"spec": {"migManager": {"config": {"name": name}}}}]) == ""


def test_a_printed_command_quotes_a_name(a_node: Nodes) -> None:
    command = restore_command([replace(a_node(), name="n1;$(touch x)", taints=frozenset({labels.TAINT}))])
    assert shlex.split(command)[3] == "n1;$(touch x)"


def test_a_report_that_cannot_be_read_is_a_difference_and_the_whole_node_counts(
    a_node: Nodes, expected: Expected
) -> None:
    node = a_node(report=None, unreadable_report="errors[0]: must be a printable text")
    (found,) = node_differences(expected, "n1", node)
    assert str(found) == "report missing: n1: its report cannot be read: errors[0]: must be a printable text"
    assert affected_gpus(node, expected.gpus).whole_node == (
        "its report cannot be read: errors[0]: must be a printable text"
    )


def test_what_cannot_be_compared_is_a_difference_of_its_node(a_node: Nodes, expected: Expected) -> None:
    broken = replace(expected, gpus=7)  # type: ignore[arg-type]  # a bug of ours
    (found,) = node_differences(broken, "n1", a_node())
    assert str(found).startswith("node not Ready: n1: could not be compared: TypeError: ")
    assert affected_gpus(a_node(), 7).whole_node.startswith("its GPUs could not be compared: TypeError: ")  # type: ignore[arg-type]

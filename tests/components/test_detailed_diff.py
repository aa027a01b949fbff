"""A preview prints what differs, and what `check` added for it; nothing of the update before."""

from typing import Any

import grpc
import pytest
from google.protobuf import struct_pb2
from pulumi.runtime.proto import provider_pb2

from mig_fleet.components.detailed_diff import detailed_diff
from tests.components.provider_process import Process, blob
from tests.components.waiting_provider import DiffingProvider, FailingProvider

ADD, DELETE, UPDATE = (provider_pb2.PropertyDiff.Kind.Value(kind) for kind in ("ADD", "DELETE", "UPDATE"))


def struct(**values: Any) -> struct_pb2.Struct:
    made = struct_pb2.Struct()
    made.update(values)
    return made


@pytest.mark.parametrize("key", ["plannedChanges", "drift", "capacityChanges", "blocked", "ownedElsewhere"])
def test_what_an_earlier_update_was_shown_is_no_removal(key: str) -> None:
    old, new = struct(nodeNames="n1\n", **{key: ["yesterday"]}), struct(nodeNames="n1\nn2\n")
    assert detailed_diff(old, new) == {"nodeNames": UPDATE}


@pytest.mark.parametrize("before", [{}, {"plannedChanges": ["yesterday"]}, {"plannedChanges": ["today"]}])
def test_what_is_planned_now_is_an_addition_whatever_was_planned_before(before: dict[str, list[str]]) -> None:
    assert detailed_diff(struct(**before), struct(plannedChanges=["today"])) == {"plannedChanges": ADD}


def test_equal_and_internal_properties_and_numbers_for_policies_are_not_printed() -> None:
    old, new = struct(__provider="old", wave="w", nodes=["n1"]), struct(__provider="new", wave="w", nodes=["n1"])
    new["impact"] = {"podsLosingSlices": 1}
    assert detailed_diff(old, new) == {}


def test_properties_that_come_and_go_are_printed() -> None:
    assert detailed_diff(struct(joining=["n1"]), struct(costPerHourUsd=2)) == {"joining": DELETE, "costPerHourUsd": ADD}


@pytest.mark.parametrize(
    ("expected", "path"),
    [({"config": "new", "gpus": [2]}, "expected.config"), ({"config": "old", "gpus": [2]}, "expected")],
    ids=["the name of the layout", "all, because the name is the same"],
)
def test_of_another_layout_one_line_is_printed(expected: dict[str, object], path: str) -> None:
    old = struct(expected={"config": "old", "gpus": [1]})
    assert detailed_diff(old, struct(expected=expected)) == {path: UPDATE}


def test_a_long_text_is_printed_only_if_no_line_has_its_changes() -> None:
    assert detailed_diff(struct(file="a"), struct(file="b")) == {"file": UPDATE}
    summarized = detailed_diff(struct(file="a"), struct(file="b", plannedChanges=["new config 'b'"]))
    assert summarized == {"plannedChanges": ADD}
    pruned = detailed_diff(struct(carried="a"), struct(carried="", prunedConfigs=["a"]))
    assert pruned == {"prunedConfigs": ADD}
    assert detailed_diff(struct(), struct(carried="")) == {"carried": ADD}, "once, after an older release"


def test_nodes_under_the_key_of_an_earlier_release_are_printed_only_if_they_change() -> None:
    old = struct(nodes=["n1", "n2"])
    assert detailed_diff(old, struct(nodeNames="n1\nn2\n")) == {}
    assert detailed_diff(old, struct(nodeNames="n1\n")) == {"nodes": DELETE, "nodeNames": ADD}


def diff(process: Process, old: struct_pb2.Struct, new: struct_pb2.Struct) -> provider_pb2.DiffResponse:
    """The answer of a provider's process, which checks a resource before it compares it."""
    for each in (old, new):
        each["__provider"] = blob(DiffingProvider())
    process.stub.Check(provider_pb2.CheckRequest(urn="urn", olds=old, news=new), timeout=60)
    request = provider_pb2.DiffRequest(id="id", urn="urn", olds=old, news=new, old_inputs=old)
    answer: provider_pb2.DiffResponse = process.stub.Diff(request, timeout=60)
    return answer


def test_the_engine_gets_the_paths_and_the_reason_for_a_replacement(provider_process: Process) -> None:
    answer = diff(provider_process, struct(nodes=1, namespace="a"), struct(nodes=2, namespace="b"))
    assert answer.hasDetailedDiff and answer.changes == provider_pb2.DiffResponse.DIFF_SOME
    found = {path: (each.Kind.Name(each.kind), each.inputDiff) for path, each in answer.detailedDiff.items()}
    assert found == {"nodes": ("UPDATE", True), "namespace": ("UPDATE_REPLACE", True)}


def test_a_refresh_and_an_unchanged_resource_are_answered_as_by_the_sdk(provider_process: Process) -> None:
    found = [struct(nodes=1, drift=["of the last update"]) for _ in range(2)]
    assert not diff(provider_process, *found).hasDetailedDiff


def test_the_engine_gets_an_error_that_begins_with_our_sentence(provider_process: Process) -> None:
    """Also of the first call of a process, as in a destroy."""
    properties = struct(__provider=blob(FailingProvider()))
    with pytest.raises(grpc.RpcError) as failed:
        provider_process.stub.Delete(provider_pb2.DeleteRequest(id="id", urn="urn", properties=properties), timeout=60)
    assert isinstance(failed.value, grpc.Call)
    assert (failed.value.code(), failed.value.details()) == (grpc.StatusCode.UNKNOWN, "nothing was changed:\n  why")

"""The plugin over gRPC, as the engine calls it: the providers of a Python program under types of their own."""

from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from google.protobuf import empty_pb2, json_format
from pulumi.runtime.proto import engine_pb2, provider_pb2

from mig_fleet.model.resource_types import KINDS
from tests.plugin.plugin_process import TIMEOUT_S, UNKNOWN, Plugin, secret, struct, urn

OWNER = "0123456789ab acme/shop/dev"
TOKEN = "a-token-that-nothing-may-print"
NOWHERE = "https://127.0.0.1:1"


def kubeconfig() -> str:
    """Contents that reach no server, with a token."""
    named = [{"name": "it", "cluster": {"server": NOWHERE}}]
    contexts = [{"name": "it", "context": {"cluster": "it", "user": "it"}}]
    users = [{"name": "it", "user": {"token": TOKEN}}]
    document = {"apiVersion": "v1", "kind": "Config", "current-context": "it"}
    return yaml.safe_dump({**document, "clusters": named, "contexts": contexts, "users": users})


@pytest.fixture(scope="module")
def unreachable(tmp_path_factory: pytest.TempPathFactory) -> str:
    file: Path = tmp_path_factory.mktemp("kubeconfig") / "config"
    file.write_text(kubeconfig())
    return str(file)


def guard(**changes: Any) -> dict[str, Any]:
    """The inputs of a DestroyGuard, which asks the cluster only when it is deleted."""
    cluster = {"kubeconfig": secret(kubeconfig()), "context": "it"}
    return {"cluster": cluster, "namespace": "gpu-operator", "owner": OWNER, "uid": "", **changes}


def details(failed: "pytest.ExceptionInfo[grpc.RpcError]") -> tuple[grpc.StatusCode, str]:
    assert isinstance(failed.value, grpc.Call)
    return failed.value.code(), failed.value.details() or ""


def test_a_resource_is_checked_compared_created_updated_and_read(plugin: Plugin) -> None:
    at, first = urn("DestroyGuard"), struct(guard())
    checked = plugin.stub.Check(provider_pb2.CheckRequest(urn=at, news=first), timeout=TIMEOUT_S)
    assert (checked.inputs, [*checked.failures]) == (first, [])
    created = plugin.stub.Create(provider_pb2.CreateRequest(urn=at, properties=checked.inputs), timeout=TIMEOUT_S)
    assert (created.id, created.properties) == ("gpu-operator", first)
    same = provider_pb2.DiffRequest(urn=at, id=created.id, olds=first, news=first, old_inputs=first)
    assert plugin.stub.Diff(same, timeout=TIMEOUT_S).changes == provider_pb2.DiffResponse.DIFF_NONE
    other = struct(guard(namespace="nvidia"))
    compared = plugin.stub.Diff(
        provider_pb2.DiffRequest(urn=at, id=created.id, olds=first, news=other, old_inputs=first), timeout=TIMEOUT_S
    )
    assert (compared.changes, [*compared.detailedDiff]) == (provider_pb2.DiffResponse.DIFF_SOME, ["namespace"])
    update = provider_pb2.UpdateRequest(urn=at, id=created.id, olds=first, news=other, old_inputs=first)
    assert plugin.stub.Update(update, timeout=TIMEOUT_S).properties == other
    read = plugin.stub.Read(
        provider_pb2.ReadRequest(urn=at, id=created.id, properties=other, inputs=other), timeout=TIMEOUT_S
    )
    assert (read.id, read.properties, read.inputs) == ("gpu-operator", other, other)


def test_a_value_that_is_not_known_yet_stays_unknown(plugin: Plugin) -> None:
    news = struct(guard(owner=UNKNOWN))
    checked = plugin.stub.Check(provider_pb2.CheckRequest(urn=urn("DestroyGuard"), news=news), timeout=TIMEOUT_S)
    assert checked.inputs == news


def test_a_failure_is_our_text_alone_and_has_no_secret(plugin: Plugin) -> None:
    delete = provider_pb2.DeleteRequest(urn=urn("DestroyGuard"), id="gpu-operator", properties=struct(guard()))
    with pytest.raises(grpc.RpcError) as failed:
        plugin.stub.Delete(delete, timeout=TIMEOUT_S)
    code, text = details(failed)
    assert code == grpc.StatusCode.UNKNOWN and NOWHERE in text, text
    assert "Traceback" not in text and TOKEN not in text


@pytest.mark.parametrize(
    ("server", "shown"), [(NOWHERE, "the exec plugin 'renewed' could not be started"), ("https://127.0.0.1:2", NOWHERE)]
)
def test_a_deletion_uses_renewed_credentials_of_the_same_cluster_only(plugin: Plugin, server: str, shown: str) -> None:
    """The objects are where the last update put them."""
    document = yaml.safe_load(kubeconfig())
    document["clusters"][0]["cluster"]["server"] = server
    document["users"][0]["user"] = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "renewed"}}
    inputs = guard(cluster={"kubeconfig": secret(yaml.safe_dump(document)), "context": "it"})
    delete = provider_pb2.DeleteRequest(
        urn=urn("DestroyGuard"), id="gpu-operator", properties=struct(guard()), old_inputs=struct(inputs)
    )
    with pytest.raises(grpc.RpcError) as failed:
        plugin.stub.Delete(delete, timeout=TIMEOUT_S)
    assert shown in details(failed)[1]


def test_a_bug_of_ours_is_reported_with_its_traceback_also_after_a_failure_without_one(plugin: Plugin) -> None:
    test_a_failure_is_our_text_alone_and_has_no_secret(plugin)
    with pytest.raises(grpc.RpcError) as failed:
        plugin.stub.Create(provider_pb2.CreateRequest(urn=urn("DestroyGuard")), timeout=TIMEOUT_S)
    assert "Traceback" in details(failed)[1] and "KeyError: 'namespace'" in details(failed)[1]


def test_a_refusal_of_check_is_a_failure_of_the_resource_and_not_of_the_call(plugin: Plugin, unreachable: str) -> None:
    cluster = {"kubeconfig": unreachable, "context": "it", "onUnreachable": "fail"}
    news = struct({"cluster": cluster, "namespace": "gpu-operator", "file": "version: v1\nmig-configs: {}\n"})
    checked = plugin.stub.Check(provider_pb2.CheckRequest(urn=urn("LayoutFile"), news=news), timeout=TIMEOUT_S)
    (failure,) = checked.failures
    assert NOWHERE in failure.reason and failure.property == ""


def test_a_warning_of_a_provider_is_on_the_row_of_its_resource(plugin: Plugin, unreachable: str) -> None:
    cluster = {"kubeconfig": unreachable, "context": "it", "onUnreachable": "warn"}
    news = struct({"cluster": cluster, "namespace": "gpu-operator", "file": "version: v1\nmig-configs: {}\n"})
    at = urn("LayoutFile", "warned")
    checked = plugin.stub.Check(provider_pb2.CheckRequest(urn=at, news=news), timeout=TIMEOUT_S)
    (message,) = plugin.engine.messages
    assert (message.urn, message.severity) == (at, engine_pb2.WARNING)
    assert "drift was not checked" in message.message
    assert "notObserved" in checked.inputs


def test_an_import_says_what_to_do_instead(plugin: Plugin) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        plugin.stub.Read(provider_pb2.ReadRequest(urn=urn("Verification", "wave"), id="wave"), timeout=TIMEOUT_S)
    assert details(failed)[1].startswith("wave cannot be imported")


def test_a_resource_of_a_newer_version_is_named(plugin: Plugin) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        plugin.stub.Check(provider_pb2.CheckRequest(urn=urn("Reservation")), timeout=TIMEOUT_S)
    text = details(failed)[1]
    assert "this version of the mig-fleet plugin has no resource mig-fleet:index:Reservation" in text
    assert all(f"mig-fleet:index:{kind}" in text for kind in KINDS)


def test_cancel_is_answered_at_once(plugin: Plugin) -> None:
    plugin.stub.Cancel(empty_pb2.Empty(), timeout=5)


def test_the_schema_that_it_serves_is_the_committed_one(plugin: Plugin) -> None:
    from tests.plugin.plugin_process import ROOT

    served = plugin.stub.GetSchema(provider_pb2.GetSchemaRequest(), timeout=TIMEOUT_S).schema
    assert served == (ROOT / "plugin" / "schema.json").read_text(), "run `make plugin-schema`"
    assert json_format.MessageToDict(plugin.stub.GetPluginInfo(empty_pb2.Empty()))["version"] in served

"""The same way to the same cluster: renewed credentials are no change, another server is one."""

from typing import Any

import grpc
import pulumi
import pytest
from google.protobuf import struct_pb2
from pulumi.runtime.proto import provider_pb2

from mig_fleet.components.assignment import AssignmentProvider
from mig_fleet.components.cluster_input import NOT_KNOWN_YET
from mig_fleet.components.connection_identity import connection_identity, newest
from mig_fleet.components.destroy_guard import DestroyGuardProvider
from mig_fleet.components.layout_file import LayoutFileProvider
from mig_fleet.components.owner import ClusterOwnerProvider
from mig_fleet.components.supporting_objects import SupportingObjectsProvider
from mig_fleet.components.verification import VerificationProvider
from tests.components.fleets import CONTENTS, TOKEN
from tests.components.provider_process import Process, blob
from tests.memory.wave import a_wave

RENEWED = CONTENTS.replace(TOKEN, "another-token")
ELSEWHERE = CONTENTS.replace("10.0.0.1", "10.0.0.2")
OTHER_CA = CONTENTS.replace("Y2E=", "b3RoZXI=")
HERE = {"namespace": "gpu-operator", "reportsNamespace": "mig-fleet", "owner": "an owner", "uid": "a uid"}
RESOURCES: list[tuple[Any, dict[str, Any]]] = [
    (AssignmentProvider(), a_wave("n1")),
    (VerificationProvider(), a_wave("n1")),
    (LayoutFileProvider(), {**HERE, "file": "", "carried": ""}),
    (SupportingObjectsProvider(), {**HERE, "objects": [], "chartObjects": []}),
    (ClusterOwnerProvider(), {**HERE, "stack": "o/p/s", "takeOver": "", "declaredUid": ""}),
    (DestroyGuardProvider(), HERE),
]
EACH_RESOURCE = pytest.mark.parametrize(("provider", "props"), RESOURCES, ids=lambda it: type(it).__name__)


def on(kubeconfig: object) -> dict[str, Any]:
    return {"cluster": {"kubeconfig": kubeconfig}}


@EACH_RESOURCE
def test_renewed_credentials_are_no_change(provider: Any, props: dict[str, Any]) -> None:
    assert provider.diff("id", {**props, **on(CONTENTS)}, {**props, **on(RENEWED)}).changes is False


@EACH_RESOURCE
@pytest.mark.parametrize("other", [ELSEWHERE, OTHER_CA, "~/.kube/config"], ids=["server", "certificate", "a path"])
def test_another_server_is_a_change(provider: Any, props: dict[str, Any], other: str) -> None:
    assert provider.diff("id", {**props, **on(CONTENTS)}, {**props, **on(other)}).changes is True


@EACH_RESOURCE
def test_of_a_cluster_that_is_not_known_yet_nothing_is_read(provider: Any, props: dict[str, Any]) -> None:
    """No request is made: there is no cluster that could answer."""
    found = provider.check({}, {**props, **on(pulumi.UNKNOWN)})
    assert found.failures == []
    assert isinstance(provider, DestroyGuardProvider) or found.inputs["notObserved"] == NOT_KNOWN_YET
    assert pulumi.runtime.rpc.contains_unknowns(found.inputs["cluster"])
    assert provider.diff("id", {**props, **on(CONTENTS)}, {**props, **on(pulumi.UNKNOWN)}).changes is True


def test_contents_that_cannot_be_read_are_compared_as_a_whole_and_never_shown() -> None:
    assert connection_identity(on(f"{TOKEN}\n")["cluster"]) != connection_identity(on(f"{TOKEN}!\n")["cluster"])
    assert TOKEN not in str(connection_identity(on(f"{TOKEN}\n")["cluster"]))
    assert TOKEN not in str(connection_identity(on(CONTENTS)["cluster"]))


def test_the_context_decides_which_server_counts() -> None:
    two = CONTENTS.replace("current-context: made", "current-context: other")
    assert connection_identity({"kubeconfig": two, "context": "made"}) == connection_identity(
        {"kubeconfig": RENEWED, "context": "made"}
    )


def test_a_deletion_uses_the_newest_credentials_of_the_same_cluster() -> None:
    assert newest(on(CONTENTS), on(RENEWED)) == on(RENEWED)
    assert newest(on(CONTENTS), on(ELSEWHERE)) == on(CONTENTS), "its objects are where the last update put them"
    assert newest(on(CONTENTS), {}) == on(CONTENTS)


def with_plugin(command: str) -> dict[str, Any]:
    """A cluster whose credentials come from a command that does not exist, which the error names."""
    user = f"user: {{exec: {{apiVersion: client.authentication.k8s.io/v1, command: {command}}}}}"
    return on(CONTENTS.replace(f"user: {{token: {TOKEN}}}", user))


def struct(**values: Any) -> struct_pb2.Struct:
    made = struct_pb2.Struct()
    made.update({**HERE, "__provider": blob(DestroyGuardProvider()), **values})
    return made


def test_a_process_of_the_sdk_deletes_with_the_credentials_of_the_inputs(provider_process: Process) -> None:
    outputs, inputs = struct(**with_plugin("of-the-last-update")), struct(**with_plugin("renewed"))
    request = provider_pb2.DeleteRequest(id="id", urn="urn", properties=outputs, old_inputs=inputs)
    with pytest.raises(grpc.RpcError) as failed:
        provider_process.stub.Delete(request, timeout=60)
    assert isinstance(failed.value, grpc.Call)
    assert "'renewed'" in (failed.value.details() or "")

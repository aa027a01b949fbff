"""The engine's `Cancel` ends the waits of a provider's process, which the SDK itself never tells of it."""

import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from mig_fleet.components.cancellation import listen_for_cancel
from mig_fleet.rollout import engine_run
from tests.components.provider_process import Process, blob
from tests.components.waiting_provider import WAITS, WaitingProvider

SDK_THREADS = 4
"""The threads that make the calls of a dynamic provider (pulumi/dynamic/__main__.py); `Cancel` has no other."""
SOON_S = 10.0


def create(stub: provider_pb2_grpc.ResourceProviderStub) -> str:
    """The error of one call that waits."""
    properties = struct_pb2.Struct()
    properties["__provider"] = blob(WaitingProvider())
    try:
        stub.Create(provider_pb2.CreateRequest(urn="urn", properties=properties), timeout=60)
    except grpc.RpcError as error:
        assert isinstance(error, grpc.Call)
        return error.details() or ""
    return ""


@pytest.mark.parametrize("calls", [1, SDK_THREADS])
def test_one_cancel_ends_every_call_that_waits_within_seconds(provider_process: Process, calls: int) -> None:
    """Also if every thread of the SDK is taken by a call, which `Cancel` would have to wait for."""
    stub = provider_process.stub
    with ThreadPoolExecutor(calls) as executor:
        waiting = [executor.submit(create, stub) for _ in range(calls)]
        for _ in range(calls):
            assert provider_process.output.readline().strip() == WAITS
        cancelled = time.monotonic()
        stub.Cancel(empty_pb2.Empty(), timeout=SOON_S)
        errors = [each.result(SOON_S) for each in waiting]
    assert time.monotonic() - cancelled < SOON_S
    assert all("interrupted after " in error for error in errors), errors


def test_outside_a_providers_process_nothing_is_changed() -> None:
    listen_for_cancel()
    assert not engine_run.is_interrupted()

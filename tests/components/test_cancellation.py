"""The engine's `Cancel` ends the waits of a provider's process, which the SDK itself never tells of it."""

import base64
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import dill  # type: ignore[import-untyped]
import grpc
import pytest
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from mig_fleet.components.cancellation import listen_for_cancel
from mig_fleet.rollout import engine_run
from tests.components.waiting_provider import WAITS, WaitingProvider

ROOT = Path(__file__).parents[2]
SDK_THREADS = 4
"""The threads that make the calls of a dynamic provider (pulumi/dynamic/__main__.py); `Cancel` has no other."""
SOON_S = 10.0


@pytest.fixture
def process() -> Iterator["subprocess.Popen[str]"]:
    """The process that the engine starts for dynamic providers; it prints its port first."""
    command = [sys.executable, "-u", "-m", "pulumi.dynamic", "127.0.0.1:1"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as started:
        yield started
        started.kill()


def output(process: "subprocess.Popen[str]") -> IO[str]:
    assert process.stdout is not None
    return process.stdout


def create(stub: provider_pb2_grpc.ResourceProviderStub) -> str:
    """The error of one call that waits."""
    properties = struct_pb2.Struct()
    properties["__provider"] = base64.b64encode(dill.dumps(WaitingProvider())).decode()
    try:
        stub.Create(provider_pb2.CreateRequest(urn="urn", properties=properties), timeout=60)
    except grpc.RpcError as error:
        assert isinstance(error, grpc.Call)
        return error.details() or ""
    return ""


@pytest.mark.parametrize("calls", [1, SDK_THREADS])
def test_one_cancel_ends_every_call_that_waits_within_seconds(process: "subprocess.Popen[str]", calls: int) -> None:
    """Also if every thread of the SDK is taken by a call, which `Cancel` would have to wait for."""
    port = output(process).readline().strip()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel, ThreadPoolExecutor(calls) as executor:
        stub = provider_pb2_grpc.ResourceProviderStub(channel)
        waiting = [executor.submit(create, stub) for _ in range(calls)]
        for _ in range(calls):
            assert output(process).readline().strip() == WAITS
        cancelled = time.monotonic()
        stub.Cancel(empty_pb2.Empty(), timeout=SOON_S)
        errors = [each.result(SOON_S) for each in waiting]
    assert time.monotonic() - cancelled < SOON_S
    assert all("interrupted after " in error for error in errors), errors


def test_outside_a_providers_process_nothing_is_changed() -> None:
    listen_for_cancel()
    assert not engine_run.is_interrupted()

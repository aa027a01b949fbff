"""The process that the engine starts for dynamic providers."""

import base64
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import dill  # type: ignore[import-untyped]
import grpc
from pulumi.dynamic import ResourceProvider
from pulumi.runtime.proto import provider_pb2_grpc

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Process:
    """The process, and how the engine calls it."""

    stub: provider_pb2_grpc.ResourceProviderStub
    output: IO[str]
    """What the process prints after its port."""


@contextmanager
def start() -> Iterator[Process]:
    """A process that ends with the block."""
    command = [sys.executable, "-u", "-m", "pulumi.dynamic", "127.0.0.1:1"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as started:
        assert started.stdout is not None
        try:
            port = started.stdout.readline().strip()
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield Process(provider_pb2_grpc.ResourceProviderStub(channel), started.stdout)
        finally:
            started.kill()


def blob(provider: ResourceProvider) -> str:
    """The provider as a resource's property has it."""
    return base64.b64encode(dill.dumps(provider)).decode()

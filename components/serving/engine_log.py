"""What a provider prints, on the row of its resource.

The engine shows neither stdout nor stderr of a plugin (pulumi v3.259.0 pkg/resource/plugin/plugin.go), unlike those of
Python's dynamic providers. It has a method for messages, which takes the resource that they are about.
"""

import contextlib
import io
import threading
from typing import Any

import grpc
import pulumi
from pulumi.runtime import settings
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc


class EngineLog:
    """The engine, for messages about one resource. It has the place of the SDK's own connection in its settings, so
    `pulumi.log` uses it.
    """

    def __init__(self, engine: engine_pb2_grpc.EngineStub, urn: str = "") -> None:
        self._engine, self._urn = engine, urn

    def Log(self, request: engine_pb2.LogRequest) -> None:
        """A message that does not arrive is lost: the engine has ended, or ends."""
        request.urn = request.urn or self._urn
        with contextlib.suppress(grpc.RpcError):
            self._engine.Log(request)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


def about(engine: engine_pb2_grpc.EngineStub, urn: str) -> None:
    """Until the end of this call and of the threads that get its context, messages are about a resource."""
    settings.configure(settings.Settings(project="project", stack="stack", engine=EngineLog(engine, urn)))


class PrintedLines(io.TextIOBase):
    """Takes the place of stdout, and sends each line to the engine."""

    def __init__(self, engine: engine_pb2_grpc.EngineStub) -> None:
        self._engine, self._pending = engine, threading.local()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, rest = (getattr(self._pending, "text", "") + text).split("\n")
        self._pending.text = rest
        for line in filter(None, lines):
            self._send(line)
        return len(text)

    def _send(self, line: str) -> None:
        """A thread that a provider started has no resource: its line is on the stack's row."""
        if settings.get_engine() is not None:
            pulumi.log.info(line)
        else:
            EngineLog(self._engine).Log(engine_pb2.LogRequest(severity=engine_pb2.INFO, message=line))

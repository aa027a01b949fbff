"""The plugin's own process, and an engine that records what it gets: its messages and the resources it registers."""

# ruff: noqa: ARG002 (the protocol defines names and arguments)

import subprocess
import sys
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import (
    engine_pb2,
    engine_pb2_grpc,
    provider_pb2,
    provider_pb2_grpc,
    resource_pb2,
    resource_pb2_grpc,
)

from mig_fleet.components.serving.properties import KIND, SECRET, UNKNOWN

ROOT = Path(__file__).parents[2]
PROVIDER = "urn:pulumi:dev::shop::pulumi:providers:mig-fleet::default_0_1_0"
PROVIDER_ID = "04e1b5a2-id"
TIMEOUT_S = 60
FEATURES = [
    resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
    resource_pb2.RESOURCE_MONITOR_FEATURE_OUTPUT_VALUES,
    resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_HOOKS,
]


class Engine(engine_pb2_grpc.EngineServicer, resource_pb2_grpc.ResourceMonitorServicer):
    """Answers every registration with the inputs as outputs."""

    def __init__(self) -> None:
        self.messages: list[engine_pb2.LogRequest] = []
        self.registered: list[resource_pb2.RegisterResourceRequest] = []

    def Log(self, request: engine_pb2.LogRequest, context: object) -> empty_pb2.Empty:
        self.messages.append(request)
        return empty_pb2.Empty()

    def GetDeploymentInfo(self, request: object, context: object) -> resource_pb2.DeploymentInfo:
        return resource_pb2.DeploymentInfo(supportedFeatures=FEATURES)

    def RegisterResource(self, request: Any, context: object) -> resource_pb2.RegisterResourceResponse:
        self.registered.append(request)
        kind = f"{request.parent.split('::')[2]}${request.type}" if request.parent else request.type
        urn = f"urn:pulumi:dev::shop::{kind}::{request.name}"
        return resource_pb2.RegisterResourceResponse(urn=urn, id="an-id", object=request.object)

    def RegisterResourceHook(self, request: object, context: object) -> empty_pb2.Empty:
        return empty_pb2.Empty()

    def RegisterResourceOutputs(self, request: object, context: object) -> empty_pb2.Empty:
        return empty_pb2.Empty()


@dataclass(frozen=True)
class Plugin:
    """The process after `Configure`, and the engine it talks to."""

    stub: provider_pb2_grpc.ResourceProviderStub
    engine: Engine
    address: str
    process: "subprocess.Popen[str]" = field(repr=False)

    def construct(self, kind: str, name: str, inputs: dict[str, Any], preview: bool = True) -> Any:
        request = provider_pb2.ConstructRequest(
            project="shop",
            stack="dev",
            organization="acme",
            monitorEndpoint=self.address,
            dryRun=preview,
            type=f"mig-fleet:index:{kind}",
            name=name,
            inputs=struct(inputs),
        )
        return self.stub.Construct(request, timeout=TIMEOUT_S)


@contextmanager
def start() -> Iterator[Plugin]:
    """The plugin, as the engine starts it in the preview of a program in another language."""
    engine = Engine()
    server = grpc.server(futures.ThreadPoolExecutor(16))
    engine_pb2_grpc.add_EngineServicer_to_server(engine, server)
    resource_pb2_grpc.add_ResourceMonitorServicer_to_server(engine, server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    command = [sys.executable, str(ROOT / "plugin"), address]
    with subprocess.Popen(command, cwd=ROOT / "plugin", stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            port = process.stdout.readline().strip()
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                stub = provider_pb2_grpc.ResourceProviderStub(channel)
                configure = provider_pb2.ConfigureRequest(urn=PROVIDER, id=PROVIDER_ID, acceptSecrets=True)
                stub.Configure(configure, timeout=TIMEOUT_S)
                yield Plugin(stub, engine, address, process)
        finally:
            process.kill()
            server.stop(None)


def urn(kind: str, name: str = "it") -> str:
    return f"urn:pulumi:dev::shop::mig-fleet:index:Pool$mig-fleet:index:{kind}::{name}"


def struct(values: dict[str, Any]) -> struct_pb2.Struct:
    made = struct_pb2.Struct()
    made.update(values)
    return made


def secret(value: Any) -> dict[str, Any]:
    return {KIND: SECRET, "value": value}


__all__ = ["PROVIDER", "PROVIDER_ID", "TIMEOUT_S", "UNKNOWN", "Engine", "Plugin", "secret", "start", "struct", "urn"]

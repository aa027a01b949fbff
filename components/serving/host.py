"""Runs the plugin: prints the port, and serves until the engine ends it."""

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from importlib.metadata import version

import grpc
import grpc.aio
import pulumi
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2_grpc

from mig_fleet.components.serving.components import Components
from mig_fleet.components.serving.engine_log import PrintedLines
from mig_fleet.components.serving.servicer import Servicer


def serve(components: Sequence[type[pulumi.ComponentResource]]) -> None:
    """Serve the components, and every resource in them. The engine's address is among the arguments."""
    addresses = [each for each in sys.argv[1:] if not each.startswith("-")]
    if not addresses:
        sys.exit("this is a plugin of Pulumi: the engine starts it, with its address as an argument")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(Components(list(components), version("mig-fleet")), addresses[-1]))


async def _serve(components: Components, address: str) -> None:
    engine = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address, options=_GRPC_CHANNEL_OPTIONS))
    server = grpc.aio.server(options=_GRPC_CHANNEL_OPTIONS)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Servicer(components, address, engine), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    sys.stdout = PrintedLines(engine)
    await server.wait_for_termination()

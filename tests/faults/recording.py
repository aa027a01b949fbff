"""The resources that our components register, recorded instead of created."""

import asyncio
from collections.abc import Callable
from typing import Any

import pulumi
from pulumi.runtime import rpc

Inputs = dict[str, tuple[str, dict[str, Any]]]
"""Resource name → its type and the inputs that the engine would get, with numbers as floats."""


class Recording(pulumi.runtime.Mocks):
    """Keeps registrations in their order; returns inputs as outputs."""

    def __init__(self) -> None:
        self.inputs: Inputs = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[Any, Any]]:
        self.inputs[args.name] = (args.typ, {key: rpc.unwrap_rpc_secret(value) for key, value in args.inputs.items()})
        return f"{args.name}-id", dict(args.inputs)

    def call(self, _args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        return {}, []


def record_inputs(program: Callable[[], object]) -> Inputs:
    """Run a program to its end, with an event loop of its own."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    recording = Recording()
    pulumi.runtime.set_mocks(recording, preview=False)
    try:
        pulumi.runtime.test(program)()  # type: ignore[no-untyped-call]  # not annotated in the SDK
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    return recording.inputs

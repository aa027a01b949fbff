"""What our components ask the engine for, recorded instead of done."""

import asyncio
from collections.abc import Callable
from typing import Any

import pulumi
from pulumi.runtime import rpc

Inputs = dict[str, tuple[str, dict[str, Any]]]
"""Resource name → its type and the inputs that the engine would get, numbers as floats like there."""


class Recording(pulumi.runtime.Mocks):
    """Remembers registrations in their order; echoes inputs as outputs."""

    def __init__(self) -> None:
        self.inputs: Inputs = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[Any, Any]]:
        self.inputs[args.name] = (args.typ, {key: rpc.unwrap_rpc_secret(value) for key, value in args.inputs.items()})
        return f"{args.name}-id", dict(args.inputs)

    def call(self, _args: pulumi.runtime.MockCallArgs) -> dict[Any, Any]:
        return {}


def recorded(program: Callable[[], object]) -> Inputs:
    """Run a program to its end, with a loop of its own."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    recording = Recording()
    pulumi.runtime.set_mocks(recording, preview=False)
    try:
        pulumi.runtime.test(program)()
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    return recording.inputs

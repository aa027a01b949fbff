"""Keep the stack's outputs when an update fails."""

import pulumi


def keep_last_outputs() -> None:
    """Register no outputs, before anything else; those of a program that ends are registered then.

    A failed update interrupts the program, so its outputs are never registered, and the engine prints every output
    of the last update as deleted. With any registration it keeps those that a failed update does not replace (pulumi
    v3.259.0 pkg/resource/deploy/step_executor.go, executeRegisterResourceOutputs).
    """
    stack = pulumi.runtime.get_root_resource()
    if isinstance(stack, pulumi.ComponentResource):
        stack.register_outputs({})

"""The program registers what the states of existing stacks have: the same URNs, with the same properties.

``registered.json`` was recorded before the Fleet component existed. A URN that changes is a resource that Pulumi
deletes and creates again; add an alias before you change the file.
"""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime.mocks import MockMonitor

from mig_fleet.stack_file import fleet
from mig_fleet.stacks import program

RECORDED: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("registered.json").read_text())
START = "urn:pulumi:stack::project::"


class Recording(MockMonitor):
    """URN without its start → the names of the inputs."""

    def __init__(self) -> None:
        super().__init__(_Outputs())
        self.found: dict[str, str] = {}

    def RegisterResource(self, request: Any) -> Any:
        answer = super().RegisterResource(request)  # type: ignore[no-untyped-call]  # not annotated in the SDK
        if request.type != "pulumi:pulumi:Stack":
            self.found[answer.urn.removeprefix(START)] = " ".join(sorted(request.object))
        return answer


class _Outputs(pulumi.runtime.Mocks):
    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[Any, Any]]:
        return f"{args.name}-id", {"owner": "an owner", "uid": "a uid", **args.inputs}

    def call(self, _args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        return {}, None


@pytest.fixture
def loop() -> Iterator[None]:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("operator", sorted(RECORDED))
def test_the_resources_of_a_stack_keep_their_urns_and_properties(operator: str) -> None:
    declared = fleet.from_file(Path("stacks/Pulumi.local.yaml"))
    managed = declared.settings.operator.model_copy(update={"managed": operator == "our operator"})
    settings = declared.settings.model_copy(update={"operator": managed})
    monitor = Recording()
    pulumi.runtime.set_mocks(monitor.mocks, preview=False, monitor=monitor)
    found = replace(declared, settings=settings, serves_rules=True)
    pulumi.runtime.test(lambda: program.deploy(found) and None)()  # type: ignore[no-untyped-call]  # not annotated in the SDK
    assert monitor.found == RECORDED[operator]

"""docs/how-to/adopt.md: its commands exist, its lines are those of a refused update, its list of objects is complete.

tests/engine/test_adoption.py runs the story on a fleet.
"""

import asyncio
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest

from mig_fleet.cli.__main__ import main
from mig_fleet.model import labels
from mig_fleet.rollout.manager_file import _ways_out
from mig_fleet.stack_file import fleet
from mig_fleet.stacks import program
from tests.memory.api import MemoryCluster
from tests.memory.fleet import Fleet as MemoryFleet
from tests.memory.installed import HELM

PAGE = Path("docs/how-to/adopt.md").read_text()
BLOCKS = dict(re.findall(r"<!-- run: (\w+) -->\n```sh\n(.*?)```", PAGE, re.DOTALL))
"""Name → the commands that a test runs."""


def test_the_steps_of_the_page_are_these() -> None:
    assert list(BLOCKS) == ["import", "check", "preview", "up", "again", "switch", "leave"]
    assert all(BLOCKS[name].startswith("pulumi ") for name in ("preview", "up", "again", "leave"))


@pytest.mark.parametrize("name", ["import", "check"])
def test_our_own_commands_on_the_page_are_accepted(name: str) -> None:
    for line in BLOCKS[name].splitlines():
        program_name, command, *words = shlex.split(line.partition(" > ")[0])
        assert program_name == "mig-fleet"
        found = main.get_command(None, command)  # type: ignore[arg-type]  # the context is not used
        assert found is not None
        found.make_context(command, words)


def test_the_lines_that_let_mig_manager_read_our_file_are_those_of_a_refused_update() -> None:
    installed = MemoryFleet("n1")
    metadata = {"name": "cluster-policy", "labels": {"helm.sh/chart": "gpu-operator-v26.7.0"}, "annotations": HELM}
    installed.cluster_policies = [{"metadata": metadata}]
    printed = " ".join(_ways_out("gpu-operator", MemoryCluster(installed), True))
    assert BLOCKS["switch"].strip() in printed
    (helm,) = re.findall(r"`(helm upgrade gpu-operator nvidia/[^`]*)`", PAGE)
    assert helm in printed


class Recorder(pulumi.runtime.Mocks):
    """Records the objects that a program registers."""

    def __init__(self) -> None:
        self.objects: set[tuple[str, str, str]] = set()
        self.resources: set[tuple[str, str]] = set()

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[Any, Any]]:
        provider = args.typ.startswith("pulumi:providers:")
        kind = "Provider" if provider else args.typ.rpartition(":")[2]
        if args.typ.startswith("kubernetes:"):
            metadata = args.inputs["metadata"]
            self.objects.add((kind, metadata.get("namespace", ""), metadata["name"]))
        elif args.typ.endswith(":LayoutFile"):
            self.objects.add(("ConfigMap", args.inputs["namespace"], labels.LAYOUTS_CONFIG_MAP))
        if not args.typ.startswith("kubernetes:"):
            self.resources.add((kind, args.name))
        return f"{args.name}-id", dict(args.inputs)

    def call(self, _args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        return {}, None


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    """What the stack of an adopted fleet registers."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    recorder = Recorder()
    pulumi.runtime.set_mocks(recorder, preview=False)
    raw = {
        "cluster": {"context": "prod-gpu"},
        "operator": {"managed": False},
        "layouts": {"all-1g.10gb": {"gpu": "H100-80GB", "all": {"1g.10gb": 7}}},
        "pools": {
            "a": {"gpu": "H100-80GB", "gpusPerNode": 8, "nodes": ["n"], "layout": "all-1g.10gb", "configName": "keep"}
        },
    }
    pulumi.runtime.test(lambda: program.deploy(fleet.parse(raw, "the stack")) and None)()  # type: ignore[no-untyped-call]  # not annotated in the SDK
    yield recorder
    asyncio.set_event_loop(None)
    loop.close()


def test_the_page_lists_every_resource_of_pulumi(recorder: Recorder) -> None:
    (table,) = re.findall(r"^\| Pulumi resource \|.*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    cells = " ".join(row.split(" | ")[0] for row in table.splitlines())
    shown = set(re.findall(r"(\w+) `([^`]+)`", cells))
    example = {(kind, name.replace("<pool>", "a").replace("<number>", "0")) for kind, name in shown}
    assert recorder.resources == example


def test_the_page_lists_every_object_that_is_created(recorder: Recorder) -> None:
    rows = re.findall(r"^\| (cluster|namespace `mig-fleet`|the operator's namespace) \| (.*) \|$", PAGE, re.MULTILINE)
    places = {"cluster": "", "namespace `mig-fleet`": "mig-fleet", "the operator's namespace": "gpu-operator"}
    shown = {
        (kind, places[place], name.replace("<hash>", "*"))
        for place, cell in rows
        for kind, name in re.findall(r"(\w+) `([^`]+)`", cell)
    }
    probes = ("ConfigMap", "mig-fleet", "mig-report-<node>")
    registered = {(kind, where, re.sub(r"-[0-9a-f]{8,}$", "-*", name)) for kind, where, name in recorder.objects}
    assert registered == shown - {probes}
    assert probes in shown


def test_the_page_lists_every_annotation_of_an_owned_node() -> None:
    shown = set(re.findall(r"^\| annotation `([^`]+)` \|", PAGE, re.MULTILINE))
    assert shown == {*labels.OWNERSHIP_ANNOTATIONS} - {labels.ATTEMPT}, "an attempt counts our writes of a config"

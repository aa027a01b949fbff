"""Runs the program of an example under Pulumi's mocks: no engine, no cloud, and a cluster that is a list of nodes."""

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import yaml

from mig_fleet.observed.snapshot import Node, Snapshot

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


class RecordingEngine(pulumi.runtime.Mocks):
    """Records registrations; returns inputs as outputs."""

    def __init__(self) -> None:
        self.created: dict[str, tuple[str, dict[str, Any]]] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[Any, Any]]:
        self.created[args.name] = (args.typ, args.inputs)
        return f"{args.name}-id", dict(args.inputs)

    def call(self, _args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        return {}, None


@dataclass
class Cluster:
    """Node → its labels, as a selector finds them."""

    nodes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def serves(self, _api_version: str, _kind: str) -> bool:
        return False

    def observe(self, _args: Any, _reports_namespace: str, **_: bool) -> Snapshot:
        return Snapshot({name: Node(name, dict(found), {}, {}, None) for name, found in self.nodes.items()})


def run(
    program: Callable[[], object],
    project: str = "project",
    preview: bool = False,
    config: Mapping[str, Any] | None = None,
) -> dict[str, tuple[str, dict[str, Any]]]:
    """Run a program to its end; returns name → type and inputs of each resource."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    engine = RecordingEngine()
    pulumi.runtime.set_mocks(engine, project=project, preview=preview)
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in (config or {}).items()}
    pulumi.runtime.set_all_config(texts)
    try:
        pulumi.runtime.test(program)()  # type: ignore[no-untyped-call]  # not annotated in the SDK
    finally:
        pulumi.runtime.set_all_config({})
        asyncio.set_event_loop(None)
        loop.close()
    return engine.created


def run_example(name: str, **options: Any) -> Any:
    """Run ``examples/<name>/__main__.py`` with its own modules beside it; returns what :func:`run` does."""
    folder = EXAMPLES / name
    source = (folder / "__main__.py").read_text()

    def program() -> None:
        exec(compile(source, str(folder / "__main__.py"), "exec"), {"__name__": "__main__"})

    return with_modules(folder, lambda: run(program, name, **options))


def with_modules(folder: Path, act: Callable[[], Any]) -> Any:
    """``act()`` with the modules of an example, which are forgotten afterwards: two examples have a ``gpus.py``."""
    sys.path.insert(0, str(folder))
    try:
        return act()
    finally:
        sys.path.remove(str(folder))
        for path in folder.glob("*.py"):
            if path.stem != "__main__":
                sys.modules.pop(path.stem, None)


def config_of(name: str) -> dict[str, Any]:
    """The configuration of an example's stack file."""
    (path,) = (EXAMPLES / name).rglob("Pulumi.*.yaml")
    found: dict[str, Any] = yaml.safe_load(path.read_text())["config"]
    return found

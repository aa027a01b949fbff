"""What a stack file may say: frozen, closed, camelCase outside and snake_case inside.

This is the only reader of `pulumi.Config`. The model of MIG is asked in the same breath, so that a broken stack file
is told all its mistakes at once, those of spelling and those of slices.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from stacks import documents

PROJECT = "mig-fleet"


class Closed(BaseModel):
    """The base of every settings object."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


def _seconds(value: object) -> object:
    match = re.fullmatch(r"(\d+)(s|m|h)", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("should be a duration such as 90s, 45m or 2h")
    if int(match[1]) == 0:
        raise ValueError("should be longer than nothing")
    return int(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]


def _node_name(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", value):
        raise ValueError("should be a node's name as `kubectl get nodes` prints it")
    return value


def _not_empty(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError("should name at least one node")
    return value


Duration = Annotated[int, BeforeValidator(_seconds)]
"""Seconds inside; ``90s``, ``45m``, ``2h`` in the stack file."""
NodeName = Annotated[str, AfterValidator(_node_name)]


class Cluster(Closed):
    """Which cluster: a path and a context, never credentials."""

    kubeconfig: str | None = None
    context: str | None = None


class Operator(Closed):
    """NVIDIA's GPU Operator as a Helm chart."""

    namespace: str = "gpu-operator"
    chart: str = "gpu-operator"
    version: str | None = None
    repository: str | None = "https://helm.ngc.nvidia.com/nvidia"
    values: dict[str, Any] = Field(default_factory=dict)
    timeout: Duration = 600


class Probe(Closed):
    """What runs on the GPU nodes to read NVML."""

    image: str = "docker.io/library/python:3.13-slim"
    runtime_class: str | None = "nvidia"
    interval: Duration = 15


class Rollout(Closed):
    """How nodes are changed."""

    timeout: Duration = 2700
    on_delete: Literal["retain", "disable", "restore"] = "retain"


class Pool(Closed):
    """Nodes with one GPU model and one layout."""

    gpu: str
    gpus_per_node: int = Field(ge=1, le=64, strict=True)
    nodes: Annotated[tuple[NodeName, ...], AfterValidator(_not_empty)]
    layout: str
    rollout: Rollout = Rollout()


class Monitoring(Closed):
    """Generated from the layouts."""

    dashboard: bool = Field(default=True, strict=True)
    rules: Literal["prometheusRule", "configMap", "none"] = "configMap"
    monitor_labels: dict[str, str] = Field(default_factory=dict)


class Settings(Closed):
    """One stack file. The layouts stay as written here; `stacks.fleet` gives them their meaning."""

    cluster: Cluster = Cluster()
    operator: Operator = Operator()
    probe: Probe = Probe()
    layouts: dict[str, dict[str, Any]]
    pools: dict[str, Pool]
    monitoring: Monitoring = Monitoring()
    prices: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    """USD per GPU-hour, by GPU model."""


def raw_from_file(path: Path) -> dict[str, Any]:
    """A stack file's settings as plain data; raises ``OSError`` or ``ValueError`` with the place."""
    document = documents.read(path)
    config = document.get("config") if isinstance(document, Mapping) else None
    if not isinstance(config, Mapping):
        raise ValueError(f"{path} has no `config:` section; see stacks/Pulumi.local.yaml for one that works")
    prefix = f"{PROJECT}:"
    return {key.removeprefix(prefix): value for key, value in config.items() if str(key).startswith(prefix)}


def raw_from_pulumi() -> dict[str, Any]:
    """The running program's settings as plain data."""
    import pulumi
    from pulumi.runtime.config import CONFIG

    config = pulumi.Config(PROJECT)
    prefix = f"{PROJECT}:"
    names = [key.removeprefix(prefix) for key in CONFIG.get() if key.startswith(prefix)]
    return {name: config.require_object(name) for name in sorted(names)}

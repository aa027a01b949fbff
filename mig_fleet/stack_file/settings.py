"""What a stack file may say: frozen, closed, camelCase outside and snake_case inside.

This is the only reader of `pulumi.Config`. The model of MIG is asked in the same breath, so that a broken stack file
is told all its mistakes at once, those of spelling and those of slices.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from mig_fleet.documents import Document, DocumentError
from mig_fleet.stack_file.scalars import (
    Duration,
    Interval,
    Labels,
    Namespace,
    NodeNames,
    Path,
    Selection,
    Share,
    Span,
    Wedged,
)

PROJECT = "mig-fleet"


class Closed(BaseModel):
    """The base of every settings object."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class Cluster(Closed):
    """Which cluster: a path and a context, never credentials."""

    kubeconfig: Path | None = None
    context: str | None = None
    on_unreachable: Literal["fail", "warn"] = "fail"
    """Whether a preview fails when the cluster does not answer, or goes on without having looked for drift. With a
    selector or ``maxWavesPerUpdate`` it fails either way: nobody can say then who is in a pool, or who is done."""


class Operator(Closed):
    """NVIDIA's GPU Operator as a Helm chart."""

    managed: bool = Field(default=True, strict=True)
    """``false`` where somebody else installs it; it must read our layout file, and nodes are cordoned for a change,
    because its pods would not tolerate our taint."""
    namespace: Namespace = "gpu-operator"
    chart: str = "gpu-operator"
    version: str | None = None
    repository: str | None = "https://helm.ngc.nvidia.com/nvidia"
    values: dict[str, Any] = Field(default_factory=dict)
    timeout: Duration = 600


STOCK_PYTHON = (
    "docker.io/library/python:3.13.14-slim@sha256:9662417aace5ae7b8e2609cce472b72a8958e134ba372808abe9cc1a0c0125e6"
)
"""The index of all platforms, amd64 and arm64 among them (docker-library/repo-info, commit 2986dca3,
``repos/python/remote/3.13-slim-trixie.md``)."""


class Probe(Closed):
    """What runs on the GPU nodes to read NVML."""

    namespace: Namespace = "mig-fleet"
    """Of its own, so that what probes may write is nobody's configuration."""
    image: str = STOCK_PYTHON
    """Any stock Python from 3.11 on, by digest, so that it stays the image that was reviewed."""
    runtime_class: str | None = "nvidia"
    interval: Interval = 15


class Rollout(Closed):
    """How nodes are changed."""

    canary: int = Field(default=0, ge=0, strict=True)
    """So many nodes go first, in a wave of their own."""
    max_unavailable: Share = "25%"
    """The most nodes of the pool that are changed at the same time."""
    max_waves_per_update: int | None = Field(default=None, ge=1, strict=True)
    """The rest of a pool's waves wait for the next update."""
    soak: Span = 0
    """How long a wave must stay as declared before its nodes are opened again and the next wave starts."""
    on_user_pods: Literal["refuse", "wait", "evict"] = "refuse"
    """What happens to pods that hold slices of a node that is to be cut anew."""
    on_failure: Literal["halt", "rollback"] = "halt"
    """A wave that fails stays closed, or goes back to the layout that was last verified on it."""
    recovery: bool = Field(default=True, strict=True)
    """Whether a node that went wrong may be helped: MIG Manager or the device plugin started over, at most once."""
    wedged_after: Wedged = 1800
    """How long MIG Manager may say `pending` before it counts as stuck."""
    timeout: Duration = 3600
    on_delete: Literal["retain", "disable", "restore"] = "retain"


class Selector(Closed):
    """Nodes by their labels, looked up at each preview and update."""

    match_labels: Selection


class Pool(Closed):
    """Nodes with one GPU model and one layout: named one by one, or chosen by their labels."""

    gpu: str
    gpus_per_node: int = Field(ge=1, le=64, strict=True)
    nodes: NodeNames | None = None
    selector: Selector | None = None
    layout: str
    rollout: Rollout = Rollout()

    @model_validator(mode="after")
    def _one_way_to_find_nodes(self) -> "Pool":
        if (self.nodes is None) == (self.selector is None):
            raise ValueError("should have either nodes or selector")
        return self


class Monitoring(Closed):
    """Generated from the layouts."""

    dashboard: bool = Field(default=True, strict=True)
    rules: Literal["prometheusRule", "configMap", "none"] = "configMap"
    monitor_labels: Labels = Field(default_factory=dict)


class Settings(Closed):
    """One stack file. The layouts stay as written here; `mig_fleet.stack_file.fleet` gives them their meaning."""

    cluster: Cluster = Cluster()
    operator: Operator = Operator()
    probe: Probe = Probe()
    layouts: dict[str, dict[str, Any]]
    pools: dict[str, Pool]
    monitoring: Monitoring = Monitoring()
    prices: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]] = Field(default_factory=dict)
    """USD per GPU-hour, by GPU model."""


def raw_from_document(document: Document) -> dict[str, Any]:
    """A stack file's settings as plain data; raises :class:`DocumentError`."""
    config = document.data.get("config") if isinstance(document.data, Mapping) else None
    if not isinstance(config, Mapping):
        why = "has no `config:` section; see stacks/Pulumi.local.yaml for one that works"
        raise DocumentError(document.name, why)
    prefix = f"{PROJECT}:"
    return {key.removeprefix(prefix): value for key, value in config.items() if str(key).startswith(prefix)}


def raw_from_pulumi() -> dict[str, Any]:
    """The running program's settings as plain data; one that is no JSON, so of no section of ours, as its text."""
    import pulumi

    config = pulumi.Config(PROJECT)

    def value(name: str) -> Any:
        try:
            return config.require_object(name)
        except pulumi.ConfigTypeError:
            return config.require(name)

    return {name: value(name) for name in _names()}


def secret_sections() -> frozenset[str]:
    """The sections of the running program in which anything was set with ``--secret``; Pulumi does not say what."""
    from pulumi.runtime.config import is_config_secret

    return frozenset(name for name in _names() if is_config_secret(f"{PROJECT}:{name}"))


def _names() -> list[str]:
    from pulumi.runtime.config import CONFIG

    prefix = f"{PROJECT}:"
    return sorted(key.removeprefix(prefix) for key in CONFIG.get() if key.startswith(prefix))

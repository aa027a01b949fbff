"""The settings of a stack file: immutable, unknown keys refused, camelCase outside and snake_case inside.

:mod:`mig_fleet.stack_file.reading` reads them as plain data. :mod:`mig_fleet.stack_file.fleet` also checks them with
the model of MIG, so that all mistakes in a stack file are reported together, each with its path.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from mig_fleet.model.allocated_by import DRA_NAMESPACE, AllocatedBy
from mig_fleet.model.namespaces import OPERATOR_NAMESPACE, REPORTS_NAMESPACE
from mig_fleet.model.strategy import DEFAULT as DEFAULT_STRATEGY
from mig_fleet.rollout.batching import Pace
from mig_fleet.rollout.wave import DEFAULTS, ConfigName, OnDelete, OnFailure, OnStrandedPods, OnUserPods
from mig_fleet.stack_file.closed import Closed
from mig_fleet.stack_file.monitoring_settings import Monitoring
from mig_fleet.stack_file.scalars import (
    Allocation,
    ChartVersion,
    Duration,
    Interval,
    LabelSelector,
    MigStrategy,
    Namespace,
    NodeCount,
    NodeNames,
    Path,
    PositiveDuration,
    Share,
    WedgedAfter,
)

PROJECT = "mig-fleet"


class Cluster(Closed):
    """How to reach the cluster: a kubeconfig path and a context, never credentials."""

    kubeconfig: Path | None = None
    context: str | None = None
    in_cluster: bool = Field(default=False, strict=True)
    """The service account of the pod in which Pulumi runs, and no kubeconfig."""
    use_current_context: bool = Field(default=False, strict=True)
    """Says that kubectl's current context decides. Without it, a context, a kubeconfig, ``inCluster`` or a UID is
    required."""
    on_unreachable: Literal["fail", "warn"] = "fail"
    """Whether a preview fails if the cluster does not answer, or continues without a drift check. With a selector or
    ``maxWavesPerUpdate`` the preview always fails, because the members of a pool or the finished nodes are unknown."""
    take_over: str | None = None
    """The owner whose cluster this stack takes over, ``<id> <organization>/<project>/<stack>``; the id decides."""
    uid: str | None = None
    """The UID of the namespace ``kube-system``: any other cluster is refused."""


def _is_path(chart: object) -> bool:
    """Whether it is a vendored chart: the name of a chart in a repository has no ``/``."""
    return isinstance(chart, str) and "://" not in chart and ("/" in chart or chart.endswith(".tgz"))


class Operator(Closed):
    """NVIDIA's GPU Operator as a Helm chart."""

    managed: bool = Field(default=True, strict=True)
    """``false`` if the operator is installed by other means. That operator must read mig-fleet's layout file. Nodes are
    cordoned for a change, because its pods would not tolerate mig-fleet's taint."""
    namespace: Namespace = OPERATOR_NAMESPACE
    chart: str = "gpu-operator"
    version: ChartVersion | None = None
    repository: str | None = "https://helm.ngc.nvidia.com/nvidia"
    strategy: MigStrategy = DEFAULT_STRATEGY
    """The device plugin's MIG strategy: under `mixed` pods request `nvidia.com/mig-<profile>`, under `single`
    `nvidia.com/gpu`. With ``managed: false`` it is the one that the other operator has."""
    allocation: Allocation = AllocatedBy.DEVICE_PLUGIN
    """What allocates the slices: the operator's device plugin as extended resources, or NVIDIA's DRA driver through
    ResourceClaims (``dra``). The stack does not install the DRA driver."""
    dra_namespace: Namespace = DRA_NAMESPACE
    """Under ``dra``, where the DRA driver runs."""
    claim_templates: tuple[Namespace, ...] = ()
    """Under ``dra``, the namespaces that get a ResourceClaimTemplate for each profile; they must exist."""
    values: dict[str, Any] = Field(default_factory=dict)
    timeout: PositiveDuration = 600

    @model_validator(mode="before")
    @classmethod
    def _no_repository_for_a_path(cls, given: object) -> object:
        """A chart that is a path has no repository. Not every language can pass a null."""
        if isinstance(given, dict) and "repository" not in given and _is_path(given.get("chart")):
            return {**given, "repository": None}
        return given


STOCK_PYTHON = (
    "docker.io/library/python:3.13.14-slim@sha256:9662417aace5ae7b8e2609cce472b72a8958e134ba372808abe9cc1a0c0125e6"
)
"""The image index of all platforms, including amd64 and arm64 (docker-library/repo-info, commit 2986dca3,
``repos/python/remote/3.13-slim-trixie.md``)."""


class Probe(Closed):
    """The DaemonSet that reads NVML on the GPU nodes."""

    namespace: Namespace = REPORTS_NAMESPACE
    """A namespace of its own, so that the ConfigMaps that probes may write are not the configuration of any
    component."""
    image: str = STOCK_PYTHON
    """Any stock Python image, 3.11 or newer, pinned by digest, so that it remains the image that was reviewed."""
    runtime_class: str | None = "nvidia"
    interval: Interval = 15
    pod_resources: bool = Field(default=True, strict=True)
    """Whether the probe asks the kubelet which pod holds which slice. Without it, a change of one GPU disturbs every
    GPU pod of its node."""


class Rollout(Closed):
    """How nodes are changed. The defaults of a wave are those of :class:`~mig_fleet.rollout.wave.Wave`."""

    canary: NodeCount = Pace.canary
    """The number of nodes that change first, in a wave of their own."""
    max_unavailable: Share = Pace.max_unavailable
    """The maximum number of nodes of the pool that change at the same time."""
    max_waves_per_update: int | None = Field(default=None, ge=1, strict=True)
    """The rest of a pool's waves wait for the next update."""
    soak: Duration = DEFAULTS["soak_seconds"]
    """How long a wave must stay as declared before scheduling is restored on its nodes and the next wave starts."""
    on_user_pods: OnUserPods = DEFAULTS["on_user_pods"]
    """What happens to GPU pods on a node that must be repartitioned."""
    on_stranded_pods: OnStrandedPods = DEFAULTS["on_stranded_pods"]
    """What happens if a pod would find no slice on any node where it may run."""
    on_failure: OnFailure = DEFAULTS["on_failure"]
    """A failed wave stays isolated, or is rolled back to the layout that was last verified on it."""
    recovery: bool = Field(default=DEFAULTS["recovery"], strict=True)
    """Whether MIG Manager or the device plugin of a failed node may be restarted, at most once."""
    wedged_after: WedgedAfter = DEFAULTS["stuck_after_seconds"]
    """How long MIG Manager may report `pending` before it counts as stuck."""
    timeout: PositiveDuration = DEFAULTS["timeout_seconds"]
    on_delete: OnDelete = DEFAULTS["on_delete"]


class Selector(Closed):
    """Nodes by their labels, read from the cluster at each preview and update."""

    match_labels: LabelSelector
    may_be_empty: bool = Field(default=False, strict=True)
    """Whether the pool may have no node at the moment, such as one that an autoscaler grows from zero."""


class Pool(Closed):
    """Nodes with one GPU model and one layout: listed by name, or selected by labels."""

    gpu: str
    gpus_per_node: int = Field(ge=1, le=64, strict=True)
    nodes: NodeNames | None = None
    selector: Selector | None = None
    layout: str
    config_name: ConfigName = DEFAULTS["config_name"]
    """Whether a node whose slices are as declared may keep the config name that it carries."""
    rollout: Rollout = Rollout()

    @model_validator(mode="after")
    def _nodes_or_selector(self) -> "Pool":
        if (self.nodes is None) == (self.selector is None):
            raise ValueError("must have either nodes or selector")
        return self


class Settings(Closed):
    """One stack file. The layouts stay as they are written; `mig_fleet.stack_file.fleet` parses them."""

    cluster: Cluster = Cluster()
    operator: Operator = Operator()
    probe: Probe = Probe()
    layouts: dict[str, dict[str, Any]]
    pools: dict[str, Pool]
    monitoring: Monitoring = Monitoring()
    prices: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]] = Field(default_factory=dict)
    """USD per GPU-hour, by GPU model."""

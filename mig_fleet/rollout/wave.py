"""One wave: its nodes, what they must show, and how they may be changed. Every default is here, but those of batching.

A wave is written into the inputs of its two resources by :meth:`Wave.to_properties`, and parsed once per call of a
provider by :meth:`Wave.from_properties`. docs/architecture.md has the table of all properties.
"""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Literal, get_args, get_type_hints

from mig_fleet.cluster.connection import ClusterArgs
from mig_fleet.model.allocated_by import AllocatedBy
from mig_fleet.model.wave_nodes import NODE_NAMES, node_names, to_text
from mig_fleet.observed.expected import Expected

Props = dict[str, Any]

OnUserPods = Literal["refuse", "wait", "evict"]
Isolation = Literal["taint", "cordon"]
OnFailure = Literal["halt", "rollback"]
OnDelete = Literal["retain", "disable", "restore"]
OnStrandedPods = Literal["refuse", "warn"]
ConfigName = Literal["generated", "keep"]

PREVIEW_ONLY = (
    "drift",
    "unfinishedNodes",
    "prunedConfigs",
    "plannedChanges",
    "podsLosingSlices",
    "podsUnschedulable",
    "gpuResets",
    "capacityChanges",
    "impact",
    "notObserved",
)
"""Properties that `check` adds for the reviewer; they never become outputs, so a repaired resource has no diff."""

OF_ONE_UPDATE = ("blocked", "ownedElsewhere")
"""Properties that only the update reads for which they were made."""


@dataclass(frozen=True, slots=True)
class Wave:
    """The nodes of a pool that change together. Durations are in seconds."""

    cluster: ClusterArgs
    namespace: str
    """Where MIG Manager runs."""
    reports_namespace: str
    """Where the probes write their reports."""
    wave: str
    """``<pool>-<wave>``; also the value of the ownership annotation on its nodes."""
    nodes: tuple[str, ...]
    expected: Expected
    on_user_pods: OnUserPods = "refuse"
    """``refuse`` to change a node with slices in use, ``wait`` for its pods, or ``evict`` them."""
    isolation: Isolation = "taint"
    """``taint`` the nodes during a change, or ``cordon`` them if an operator that is not ours ignores our taint."""
    on_failure: OnFailure = "halt"
    """``halt``: the wave stays isolated; ``rollback``: it returns to the layout that was verified last."""
    on_stranded_pods: OnStrandedPods = "refuse"
    """``refuse`` a change after which a pod finds no slice on any node where it may run, or ``warn`` about it."""
    on_delete: OnDelete = "retain"
    """``retain`` the config of a node that leaves, ``disable`` MIG, or ``restore`` the config from before our first
    write."""
    config_name: ConfigName = "generated"
    """``generated``: each node carries the layout's own config name; ``keep``: a node whose slices are as declared
    keeps the name that it carries, until its slices must change."""
    operator_managed: bool = True
    """Whether this program installs the operator. If not, its user must let MIG Manager read the
    layout file."""
    dra_namespace: str = ""
    """Where NVIDIA's DRA driver runs; a property only if it allocates the slices."""
    owner: str = ""
    """The stack that owns the cluster, ``<id> <organization>/<project>/<stack>``; empty in a program that declares
    none."""
    uid: str = ""
    """The cluster, by the UID of its namespace ``kube-system``: another one is refused. Empty: any cluster."""
    recovery: bool = True
    """Whether a node that went wrong may be recovered, see :mod:`mig_fleet.rollout.recovery`."""
    soak_seconds: float = 0
    """How long a changed wave must stay as expected before scheduling is restored on its nodes."""
    stuck_after_seconds: float = 1800
    """How long `pending` may last before it counts as stuck. MIG Manager waits five minutes for each of at most five
    operands before it touches a GPU (mig-parted v0.15.0 reconfigure.go), and accepts a new label value at any time."""
    timeout_seconds: float = 3600
    """For each step: assigning the config, verifying it, rolling it back. After MIG Manager was restarted at
    ``stuck_after_seconds`` it still has the 25 minutes that it may need."""
    cost_per_hour_usd: float | None = None
    """What all nodes of the wave cost; nothing depends on it but policies and reviews. None without a price."""
    held: bool = False
    """The wave waits for a later update: the wave takes ownership of new nodes and does nothing else."""
    blocked: bool = False
    """A wave before this one failed: nothing is changed and no drift is reported. The wave takes ownership of new
    nodes, so that their old wave does not change them when it is deleted."""
    joining: tuple[str, ...] = ()
    """Nodes that are new to a wave that waits."""
    owned_elsewhere: tuple[str, ...] = ()
    """Nodes with this wave's annotation that another wave declares; they are not released."""

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for a word that is none of the choices: a program may pass any text."""
        for name, choices in _CHOICES.items():
            if (found := getattr(self, name)) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}; found {found!r}")

    @property
    def config(self) -> str:
        """The config name that the nodes must carry."""
        return self.expected.config

    @property
    def is_dra(self) -> bool:
        """Whether pods get slices from NVIDIA's DRA driver, and from no device plugin."""
        return self.expected.allocation is AllocatedBy.DRA

    @property
    def members(self) -> tuple[str, ...]:
        """The wave's nodes, and those that join it while it waits."""
        return tuple(sorted({*self.nodes, *self.joining}))

    @classmethod
    def from_properties(cls, props: Mapping[str, Any]) -> "Wave":
        """From a resource's properties, where Pulumi has turned whole numbers into floats; also from those of an
        earlier release.
        """
        given = {name: props[key] for name, key in _KEYS.items() if props.get(key) is not None}
        given["expected"] = Expected.from_properties(given["expected"])
        given["nodes"] = node_names(props)
        for name in ("nodes", "joining", "owned_elsewhere"):
            given[name] = tuple(sorted(given.get(name, ())))
        return cls(**given)

    def to_properties(self) -> Props:
        """Plain JSON values under their public names."""
        values = {key: getattr(self, name) for name, key in _KEYS.items()}
        values["expected"] = self.expected.to_properties()
        values[NODE_NAMES] = to_text(self.nodes)
        values = {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
        return {key: value for key, value in values.items() if value or key not in _ONLY_IF_SET}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))


_CHOICES = {
    name: get_args(hint) for name, hint in get_type_hints(Wave).items() if getattr(hint, "__origin__", None) is Literal
}

_KEYS = {each.name: _camel(each.name) for each in fields(Wave)} | {"nodes": NODE_NAMES}

_ONLY_IF_SET = ("joining", "ownedElsewhere", "draNamespace")
"""Properties that are missing if they are empty."""

DEFAULTS: dict[str, Any] = {each.name: each.default for each in fields(Wave) if each.default is not MISSING}
"""Field → default, for everything that a wave may leave out."""


def stored(props: Mapping[str, Any]) -> Props:
    """The properties without those of a single preview or update."""
    return {key: value for key, value in props.items() if key not in (*PREVIEW_ONLY, *OF_ONE_UPDATE)}

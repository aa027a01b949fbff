"""A review: what an update of one stack will do, as plain values. The reader fills it, the formats only show it.

Every text in it is plain text, partly of clusters and of other people's objects. It is printable and on one line, but
not escaped: each format escapes for itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from mig_fleet.model.formatting import format_profiles


class Outcome(StrEnum):
    """What the update will do, from the worst to the best; the first one that applies."""

    REFUSED = "refused"
    """A wave, a policy or the preview itself refuses it: exit status 1."""
    CHANGES = "changes"
    """It changes slices of nodes, or nodes of the stack."""
    REPAIRS = "repairs"
    """The stack is as before; the update repairs what others changed."""
    OTHERS = "others"
    """It changes objects such as alert rules or the chart, and no GPU."""
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Slices:
    """The MIG devices of one GPU. ``str()`` is ``7x 1g.10gb``, ``no slices``, ``MIG off`` or ``unknown``."""

    profiles: Mapping[str, int] | None = None
    """Profile → count; ``None`` is MIG off, or not known."""
    known: bool = True

    def __str__(self) -> str:
        return format_profiles(self.profiles) if self.known else "unknown"


UNKNOWN = Slices(known=False)
NO_GPU = "no GPU is touched"
"""What the sentence of a node that is renamed or adopted ends with."""


@dataclass(frozen=True, slots=True)
class GpuChange:
    """GPUs of a node that are alike before and after."""

    indexes: tuple[int, ...]
    before: Slices
    after: Slices
    touched: bool
    """Whether MIG Manager clears or changes them; the others keep their slices and their pods. A GPU may be touched
    with ``before == after``: its slices are destroyed and created again."""


@dataclass(frozen=True, slots=True)
class NodeChange:
    """What happens to nodes that are alike."""

    nodes: tuple[str, ...]
    text: str
    """The sentence of the preview: ``GPU 3: 7x 1g.10gb → 3g.40gb; GPU 0-2, 4-7 keep their slices``."""
    gpus: tuple[GpuChange, ...] = ()
    """Sorted by their first index; empty if the text names no slices, as for a node that is only renamed."""
    whole_node: str = ""
    """Why every GPU of the node counts as touched; empty if not."""

    @property
    def touches_gpus(self) -> bool:
        """Whether slices are destroyed; a text that does not exclude it counts as a change."""
        return any(gpu.touched for gpu in self.gpus) or not (self.gpus or NO_GPU in self.text)


@dataclass(frozen=True, slots=True)
class Pod:
    """A user's pod that loses its slices, or that would find none."""

    name: str
    """``namespace/name``"""
    owner: str
    """``ReplicaSet chat``; empty if it has none."""
    node: str
    """Empty for a stranded pod that is not scheduled."""
    text: str
    """The sentence of the preview about it."""
    reason: str = ""
    """A stranded pod: why no node has slices for it."""


@dataclass(frozen=True, slots=True)
class AmountChange:
    """An amount before and after: slices of a resource such as ``nvidia.com/mig-1g.10gb``."""

    name: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Wave:
    """What happens to the nodes of one wave. Waves are in the order of the update; unchanged ones are left out."""

    pool: str
    name: str
    """``<pool>-<wave>``"""
    nodes: tuple[str, ...]
    """All nodes of the wave."""
    gpu: str = ""
    """Catalog name of the GPU model; empty if it is not known."""
    slices: tuple[Slices, ...] = ()
    """The declared slices of a node's GPUs, by index."""
    is_new: bool = False
    is_removed: bool = False
    """The wave leaves the stack: its nodes are released as ``on_delete`` says."""
    is_held: bool = False
    """The wave waits for a later update; in this one nothing happens to its GPUs."""
    on_user_pods: str = "refuse"
    """``refuse``, ``wait`` or ``evict``"""
    on_stranded_pods: str = "refuse"
    """``refuse`` or ``warn``"""
    on_failure: str = "halt"
    """``halt`` or ``rollback``"""
    on_delete: str = "retain"
    """``retain``, ``disable`` or ``restore``"""
    soak_s: float = 0
    timeout_s: float = 3600
    changes: tuple[NodeChange, ...] = ()
    notes: tuple[str, ...] = ()
    """Other lines of the planned changes, such as how many are not listed."""
    missing: tuple[str, ...] = ()
    """Nodes that are not in the cluster; the update is refused for them."""
    pods: tuple[Pod, ...] = ()
    """Pods that lose their slices."""
    stranded: tuple[Pod, ...] = ()
    """Pods that would find no free slice on any node where they may run."""
    more_pods: int = 0
    more_stranded: int = 0
    """Pods that the preview counts and does not name."""
    resets: tuple[str, ...] = ()
    drift: tuple[str, ...] = ()
    """What others changed, one sentence each, ``slice missing: gpu-node-1: …``."""
    unfinished: tuple[str, ...] = ()
    """What an interrupted or failed update left half done."""
    capacity: tuple[AmountChange, ...] = ()
    more_touched: tuple[str, ...] = ()
    """Nodes whose slices change too, in ways that the preview does not list (it lists 20 different ones)."""
    is_unknown: bool = False
    """The cluster was not read (``onUnreachable: warn``): what the update does to the nodes is not known."""

    @property
    def touched_nodes(self) -> tuple[str, ...]:
        """The nodes on which slices are destroyed or created."""
        listed = {name for each in self.changes if each.touches_gpus for name in each.nodes}
        return tuple(sorted(listed.union(self.more_touched)))


@dataclass(frozen=True, slots=True)
class PolicyResult:
    """A policy that is violated. Known only from an event log."""

    pack: str
    policy: str
    level: str
    """``mandatory`` (the update is refused) or ``advisory`` (a warning)."""
    resource: str
    message: str

    @property
    def denies(self) -> bool:
        return self.level == "mandatory"


@dataclass(frozen=True, slots=True)
class Others:
    """Changed resources that are no waves, counted by what they belong to: ``monitoring``, ``gpu-operator``."""

    part: str
    created: int = 0
    updated: int = 0
    deleted: int = 0
    replaced: int = 0


@dataclass(frozen=True, slots=True)
class Estimate:
    """About how long the update takes, in seconds, and what the numbers are based on."""

    least_s: float
    most_s: float
    basis: str


@dataclass(frozen=True, slots=True)
class Review:
    """What an update of one stack will do."""

    project: str
    stack: str
    outcome: Outcome
    verdict: str
    """One sentence, such as ``changes 12 nodes in 4 waves, evicts 9 pods, none is stranded``."""
    refusals: tuple[str, ...] = ()
    """Why the update will be refused, one sentence each; the first one is in the verdict."""
    waves: tuple[Wave, ...] = ()
    capacity: tuple[AmountChange, ...] = ()
    """Of the whole stack, as declared: all resources, changed or not. Without outputs of an earlier update: of the
    waves that change."""
    cost_before: float | None = None
    cost_after: float | None = None
    """US dollars per hour; ``None`` if the stack declares no price."""
    cost_slices: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)
    """Resource → price per hour of one slice, before and after; ``None`` if it is unknown or differs between GPUs."""
    drift: tuple[str, ...] = ()
    """What others changed in the layout file and in other objects of the stack; that of nodes is in the waves."""
    notes: tuple[str, ...] = ()
    """Other lines about the layout file, such as configs that are removed from it."""
    policies: tuple[PolicyResult, ...] = ()
    policies_known: bool = False
    """Whether an event log was read: without one it is unknown which policies are violated."""
    warnings: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    """Errors of the preview; with any, the rest may be incomplete."""
    others: tuple[Others, ...] = ()
    steps: tuple[str, ...] = ()
    """What the rollout does, in order."""
    estimate: Estimate | None = None
    undo: tuple[str, ...] = ()
    """How to return to the state before the update, one sentence each."""
    waiting: int = 0
    """Waves that wait for a later update."""

    @property
    def name(self) -> str:
        """``project/stack``; a preview that ended before any resource does not have it."""
        return f"{self.project}/{self.stack}" if self.stack else "a stack without a name"

    @property
    def denials(self) -> tuple[PolicyResult, ...]:
        """The mandatory policies that are violated."""
        return tuple(each for each in self.policies if each.denies)

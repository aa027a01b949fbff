"""Settings of a stack file that cannot work together, although each alone is well-formed."""

from collections.abc import Iterator, Mapping

from mig_fleet.model import gpus, labels
from mig_fleet.model.allocated_by import AllocatedBy
from mig_fleet.model.errors import AmbiguousGpu, UnknownGpu
from mig_fleet.model.finding import Finding, Level
from mig_fleet.model.gfd import gpu_product
from mig_fleet.model.strategy import Strategy
from mig_fleet.monitoring.alerts.durations import duration
from mig_fleet.stack_file.scalars import SHORTEST_WEDGED_AFTER_S
from mig_fleet.stack_file.settings import Cluster, Operator, Pool, Probe, Rollout, Settings

NO_CLUSTER = (
    "must name the cluster with context, kubeconfig, inCluster or uid: otherwise kubectl's current context decides "
    "which cluster is changed; if it must, write useCurrentContext: true"
)
NOT_OURS = "no node has this label: mig-fleet writes the short name of the GPU model in the catalog"


def conflicting_settings(settings: Settings) -> Iterator[Finding]:
    """Everything that needs no catalog of layouts and no cluster."""
    yield from _cluster(settings.cluster)
    if settings.probe.namespace == settings.operator.namespace:
        text = f"{settings.probe.namespace!r} holds MIG Manager's layout file; give the probes a namespace of their own"
        yield Finding("probe.namespace", text, also="operator.namespace")
    yield from _allocation(settings.operator)
    yield from _shared_nodes(settings.pools)
    yield from _shared_selectors(settings.pools)
    for name, pool in settings.pools.items():
        path = f"pools.{name}"
        yield from _other_models(pool, path)
        yield from _changing_labels(pool, settings.operator.strategy, path)
        yield from _canary(pool, f"{path}.rollout.canary")
        yield from _timeouts(pool.rollout, settings.probe, f"{path}.rollout")


def _cluster(cluster: Cluster) -> Iterator[Finding]:
    named = bool(cluster.context)  # kubectl takes the current context for an empty one
    if cluster.in_cluster:
        others = {"kubeconfig": cluster.kubeconfig, "context": cluster.context}
        others["useCurrentContext"] = "true" if cluster.use_current_context else None
        for key in (key for key, value in others.items() if value):
            yield Finding("cluster.inCluster", f"needs no {key}; remove one of them", also=f"cluster.{key}")
        return
    if cluster.use_current_context and named:
        text = "cannot be true if context names one; remove one of them"
        yield Finding("cluster.useCurrentContext", text, also="cluster.context")
    elif not (named or cluster.use_current_context or cluster.kubeconfig or cluster.uid):
        yield Finding("cluster", NO_CLUSTER)


def _allocation(operator: Operator) -> Iterator[Finding]:
    is_dra, also = operator.allocation is AllocatedBy.DRA, "operator.allocation"
    if is_dra and operator.strategy is not Strategy.MIXED:
        text = "must be mixed, or left out: under allocation: dra each profile has a DeviceClass of its own"
        yield Finding("operator.strategy", f"{text} (found '{operator.strategy}')", also=also)
    if operator.claim_templates and not is_dra:
        text = "needs allocation: dra; pods of other clusters request extended resources, and claim nothing"
        yield Finding("operator.claimTemplates", text, also=also)


def _shared_nodes(pools: Mapping[str, Pool]) -> Iterator[Finding]:
    """A node belongs to one pool, once."""
    first: dict[str, tuple[str, str]] = {}
    for name, pool in pools.items():
        for position, node in enumerate(pool.nodes or ()):
            path = f"pools.{name}.nodes[{position}]"
            owner, other = first.setdefault(node, (name, path))
            if other != path:
                text = f"duplicate node '{node}'" if owner == name else f"node '{node}' is already in pool '{owner}'"
                yield Finding(path, text, also=other)


def _shared_selectors(pools: Mapping[str, Pool]) -> Iterator[Finding]:
    """A node with all labels of the longer selector has those of the shorter one, too."""
    selectors = {name: pool.selector.match_labels for name, pool in pools.items() if pool.selector}
    earlier: dict[str, Mapping[str, str]] = {}
    for name, own in selectors.items():
        for other, wanted in earlier.items():
            if own.items() <= wanted.items() or wanted.items() <= own.items():
                common = "every node that it selects is" if wanted.items() <= own.items() else "it selects every node"
                place = f"in pool '{other}', too" if wanted.items() <= own.items() else f"of pool '{other}', too"
                text = f"{common} {place}; a node belongs to one pool"
                yield Finding(f"pools.{name}.selector", text, also=f"pools.{other}.selector")
        earlier[name] = own


def _other_models(pool: Pool, path: str) -> Iterator[Finding]:
    """Labels of the selector that name a GPU model other than the pool's."""
    try:
        model = gpus.find(pool.gpu)
    except (UnknownGpu, AmbiguousGpu):
        return
    selected = pool.selector.match_labels if pool.selector else {}
    where = f"{path}.selector.matchLabels"
    ours = selected.get(labels.MODEL, model.short)
    if ours != model.short:
        is_known = ours in [named.short for named in _named(ours)]
        selects = f"selects {ours} GPUs, and gpu is {model.name}" if is_known else NOT_OURS
        text = f"{selects}; write {labels.MODEL}: {model.short}, or correct gpu"
        yield Finding(f"{where}.{labels.MODEL}", text, also=f"{path}.gpu")
    # To look up a name that is no model's, every model is read: a twentieth of a preview's program.
    found = _named(gpu_product(selected[labels.PRODUCT])) if labels.PRODUCT in selected else []
    if found and model not in found:
        text = f"selects {' or '.join(map(str, found))} GPUs, and gpu is {model.name}; correct one of them"
        yield Finding(f"{where}.{labels.PRODUCT}", text, also=f"{path}.gpu")


def _changing_labels(pool: Pool, strategy: Strategy, path: str) -> Iterator[Finding]:
    """Labels of the selector that a change of the layout changes. Under strategy single GPU Feature Discovery describes
    a slice as the GPU (k8s-device-plugin, internal/lm/mig-strategy.go).
    """
    changing = {labels.CONFIG, labels.STATE, *((labels.PRODUCT, labels.COUNT) if strategy is Strategy.SINGLE else ())}
    for key in pool.selector.match_labels if pool.selector else ():
        if key in changing or key.startswith(labels.RESOURCE_PREFIX):
            text = "changes with the layout, and a node would leave the pool; select by a label that stays"
            yield Finding(f"{path}.selector.matchLabels.{key}", text)


def _named(text: str) -> list[gpus.GpuModel]:
    """The models that a label's value may name; none if the catalog does not have it, which proves nothing."""
    try:
        return [gpus.find(text)]
    except AmbiguousGpu as several:
        return [gpus.find(name) for name in several.candidates]
    except UnknownGpu:
        return []


def _canary(pool: Pool, path: str) -> Iterator[Finding]:
    """A pool of one node may have a canary of one: a rule may ask for a canary in every pool."""
    nodes = len(set(pool.nodes or ()))
    if nodes and pool.rollout.canary >= max(nodes, 2):
        most = "at most 1" if nodes == 1 else f"less than the number of nodes, {nodes}"
        text = f"must be {most}: a canary is changed before the other nodes of its pool"
        yield Finding(path, f"{text} (found {pool.rollout.canary})")


def doubtful_settings(settings: Settings) -> Iterator[Finding]:
    """Settings that work, but not as a user may expect.

    A timeout below each allowed `wedgedAfter` is a user's decision against waiting for a stuck MIG Manager.
    """
    for name, pool in settings.pools.items():
        rollout = pool.rollout
        if rollout.recovery and SHORTEST_WEDGED_AFTER_S <= rollout.timeout <= rollout.wedged_after:
            text = (
                f"is not longer than wedgedAfter, {duration(rollout.wedged_after)}, so that the update ends before a "
                "stuck MIG Manager is restarted"
            )
            yield Finding(f"pools.{name}.rollout.timeout", text, level=Level.ADVICE)


def _timeouts(rollout: Rollout, probe: Probe, path: str) -> Iterator[Finding]:
    if rollout.timeout <= probe.interval:
        text = f"must be longer than probe.interval, {duration(probe.interval)}: no report would arrive in time"
        yield Finding(f"{path}.timeout", f"{text} (found {duration(rollout.timeout)})")
    elif "wedged_after" in rollout.model_fields_set and rollout.recovery and rollout.wedged_after >= rollout.timeout:
        text = (
            f"must be less than the timeout, {duration(rollout.timeout)}: otherwise the update ends before a stuck MIG "
            "Manager is restarted; set a longer timeout, or recovery: false"
        )
        yield Finding(f"{path}.wedgedAfter", f"{text} (found {duration(rollout.wedged_after)})", also=f"{path}.timeout")

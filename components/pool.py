"""A pool: its waves, each assigned and then verified before the next one starts."""

from collections.abc import Collection, Iterable
from typing import Literal, NotRequired, TypedDict

import pulumi
from pulumi.resource import DependencyResource

from mig_fleet.components.assignment import Assignment
from mig_fleet.components.checked_args import check_args
from mig_fleet.components.cluster_input import ClusterInputArgs, cluster_properties
from mig_fleet.components.layout_args import NamedLayoutArgs, parse_layout
from mig_fleet.components.pool_slices import pool_slices
from mig_fleet.components.refused import FleetRefused
from mig_fleet.components.verification import Verification
from mig_fleet.model.allocated_by import DRA_NAMESPACE, AllocatedBy
from mig_fleet.model.finding import Finding
from mig_fleet.model.layouts import Layout
from mig_fleet.model.namespaces import OPERATOR_NAMESPACE, REPORTS_NAMESPACE
from mig_fleet.model.reported_slices import REPORTED, group
from mig_fleet.model.strategy import DEFAULT, Strategy
from mig_fleet.observed.expected import Expected
from mig_fleet.policies.pool_facts import PoolFacts
from mig_fleet.policies.rules import explain, rule_conflicts
from mig_fleet.rollout.batching import Pace, held_back, waves
from mig_fleet.rollout.wave import ConfigName, Isolation, OnDelete, OnFailure, OnStrandedPods, OnUserPods, Wave


class PoolRefused(pulumi.RunError):
    """The hardware cannot do what the pool declares; the message gives the reason, in slices. Pulumi prints it without
    a traceback."""


class RolloutArgs(TypedDict, total=False):
    """How the nodes of a pool are changed."""

    max_unavailable: int | str
    """Nodes that may be unavailable at once: a number, or a share of the pool such as ``25%`` (the default)."""
    canary: int
    """Number of nodes that change first, in a wave of their own (default: none)."""
    soak_seconds: float
    """How long a changed wave must stay as expected before the next one starts (default: 0)."""
    on_user_pods: OnUserPods
    """``refuse`` (default) to change a node with slices in use, ``wait`` for its pods, or ``evict`` them."""
    on_stranded_pods: OnStrandedPods
    """``refuse`` (default) a change after which a pod finds no slice on any node where it may run, or ``warn``."""
    on_failure: OnFailure
    """``halt`` (default): the wave stays isolated; ``rollback``: it returns to the layout that was verified last."""
    recovery: bool
    """Whether MIG Manager or the device plugin of a failed node may be restarted, once (default: yes)."""
    stuck_after_seconds: float
    """How long `pending` may last before it counts as stuck (default: 1800)."""
    isolation: Isolation
    """``taint`` (default) the nodes during a change, or ``cordon`` them if an operator that is not ours ignores our
    taint. Under ``allocation: dra`` the default is ``cordon``: the DRA driver's pods do not tolerate our taint."""
    on_delete: OnDelete
    """``retain`` (default) the config of a node that leaves, ``disable`` MIG, or ``restore`` the config from before our
    first write."""
    timeout_seconds: float
    """The time for each step: assigning the config, verifying it, rolling it back (default: 3600)."""


class PoolArgs(TypedDict):
    """Nodes with one GPU model and one layout."""

    cluster: ClusterInputArgs
    """Which cluster."""
    namespace: NotRequired[str]
    """Where MIG Manager runs (default: ``gpu-operator``)."""
    reports_namespace: NotRequired[str]
    """Where the probes write their reports (default: ``mig-fleet``)."""
    gpu: NotRequired[str]
    """The GPU model of the nodes (default: that of the layout)."""
    gpus_per_node: int
    """The number of GPUs of each node."""
    nodes: list[str]
    """Names of nodes, as `kubectl get nodes` prints them."""
    layout: NamedLayoutArgs
    """One of those that :class:`~mig_fleet.components.layouts.MigLayouts` writes."""
    config_name: NotRequired[ConfigName]
    """Whether a node whose slices are as declared may ``keep`` its config name (default: ``generated``)."""
    operator_managed: NotRequired[bool]
    """Whether this program installs the operator (default: yes)."""
    owner: NotRequired[pulumi.Input[str]]
    """The stack that owns the cluster: the output of :class:`~mig_fleet.components.owner.ClusterOwner`."""
    uid: NotRequired[pulumi.Input[str]]
    """The cluster; the output of the same resource (default: any cluster)."""
    strategy: NotRequired[str]
    """The device plugin's strategy (default: mixed; docs/adr/0008 gives the reasons)."""
    allocation: NotRequired[Literal["devicePlugin", "dra"]]
    """What allocates the slices: the device plugin (default), or NVIDIA's DRA driver."""
    dra_namespace: NotRequired[str]
    """Where the DRA driver runs, under ``dra`` (default: ``dra-driver-nvidia-gpu``)."""
    price: NotRequired[float | None]
    """USD per GPU and hour (default: not known); the waves have ``costPerHourUsd`` then, for policies."""
    rollout: NotRequired[RolloutArgs]
    """How the nodes are changed."""
    declared_nodes: NotRequired[Collection[str]]
    """The nodes of all pools of the stack (default: those of this one)."""
    verified_nodes: NotRequired[Collection[str]]
    """The nodes that were verified with this layout; needed only with ``max_waves``."""
    max_waves: NotRequired[int | None]
    """The most waves that are changed in this update; the others keep their config."""


class Pool(pulumi.ComponentResource):
    """Nodes that share one MIG layout, changed wave by wave and verified."""

    slices: pulumi.Output[dict[str, str]]
    """Node → the slices that NVML reports on its GPUs, ``GPU 0-7: 7x 1g.10gb``."""
    changed: pulumi.Output[list[pulumi.Resource]]
    """For ``depends_on`` of what describes the pool: it changes after the pool. If a wave failed, Pulumi leaves it as
    it is, also with `--continue-on-error`."""

    def __init__(self, name: str, args: PoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        check_args(f"Pool '{name}'", args, PoolArgs)
        layout, strategy = parse_layout(args["layout"], f"Pool '{name}'"), _strategy(name, args)
        refuse_impossible(name, args, layout, strategy)
        cluster = cluster_properties(args["cluster"])
        super().__init__("mig-fleet:index:Pool", name, {}, opts)
        expected = Expected.of_layout(layout, args["gpus_per_node"], strategy, _allocation(args))
        is_dra = expected.allocation is AllocatedBy.DRA
        rollout = {**({"isolation": "cordon"} if is_dra else {}), **args.get("rollout", {})}
        pace = Pace(**{key: rollout.pop(key) for key in ("max_unavailable", "canary") if key in rollout})  # type: ignore[arg-type]  # of a TypedDict
        members = waves(args["nodes"], pace)
        held = held_back(members, args.get("verified_nodes", ()), args.get("max_waves"))
        if held:
            waiting = f"{len(held)} of {len(members)} waves wait for a later update: {', '.join(held)}"
            pulumi.log.info(f"{name}: {waiting}", self)
        earlier: list[str] = []
        declared = " ".join(sorted(args.get("declared_nodes", args["nodes"])))
        verified: list[Verification] = []
        resources: list[Assignment | Verification] = []
        blocked = pulumi.Output.from_input(False)
        for wave, nodes in members.items():
            props = Wave(
                cluster=cluster,  # type: ignore[arg-type]  # a program has outputs where the provider gets text
                namespace=args.get("namespace", OPERATOR_NAMESPACE),
                reports_namespace=args.get("reports_namespace", REPORTS_NAMESPACE),
                wave=f"{name}-{wave}",
                nodes=nodes,
                expected=expected,
                held=wave in held,
                config_name=args.get("config_name", "generated"),
                operator_managed=args.get("operator_managed", True),
                dra_namespace=args.get("dra_namespace", DRA_NAMESPACE) if is_dra else "",
                cost_per_hour_usd=_cost(args, nodes),
                **rollout,  # type: ignore[arg-type]  # a TypedDict without the two keys that were popped
            ).to_properties() | {"owner": args.get("owner", ""), "uid": args.get("uid", "")}
            check_only = {"earlierNodes": " ".join(earlier), "declaredNodes": declared}
            earlier += [] if wave in held else nodes
            assignment = Assignment(
                f"{name}-{wave}-assigned",
                {**props, **check_only, "blocked": blocked},
                self._after(verified[-1] if verified else None),
            )
            verification = Verification(
                f"{name}-{wave}-verified",
                {**props, "blocked": _or_failed(blocked, assignment)},
                self._after(assignment),
            )
            blocked = _or_failed(_or_failed(blocked, assignment), verification)
            verified.append(verification)
            resources += [assignment, verification]
        self.changed = blocked.apply(lambda failed: _by_urn(self, resources) if failed else [*verified[-1:]])
        self.slices = pool_slices(verified)
        # For the state only; a program gets the attribute, with an entry for each node.
        self.register_outputs({REPORTED: self.slices.apply(group)})

    def _after(self, resource: pulumi.Resource | None) -> pulumi.ResourceOptions:
        """After a resource, and registered even if that one failed: see :func:`_or_failed`."""
        return pulumi.ResourceOptions(parent=self, depends_on=_if_registered(resource) if resource else [])


def _if_registered(resource: pulumi.Resource) -> pulumi.Output[list[pulumi.Resource]]:
    """A list of the resource, or an empty one if it failed."""

    def itself(_: str) -> list[pulumi.Resource]:
        return [resource]

    return resource.urn.apply(itself).recover(lambda _: [])


def _or_failed(blocked: pulumi.Output[bool], resource: pulumi.Resource) -> pulumi.Output[bool]:
    """Whether an earlier resource failed, or this one.

    Under `--continue-on-error` a program that depends on a failed resource would end with a traceback, so no other pool
    would be registered (pulumi sdk/python, rpc_manager). So the waves after a failed one are registered anyway, as
    blocked: they keep their config.
    """
    failed = resource.urn.apply(lambda _: False).recover(lambda _: True)
    return pulumi.Output.all(blocked, failed).apply(any)


def after_pools(pools: Iterable[Pool], *others: pulumi.Resource) -> pulumi.Output[list[pulumi.Resource]]:
    """For ``depends_on`` of what must come after the pools and ``others``; see :attr:`Pool.changed`.

    If a wave failed, ``others`` are left out: some of them may depend on it and were skipped.
    """

    def joined(found: Iterable[list[pulumi.Resource]]) -> list[pulumi.Resource]:
        resources = [each for part in found for each in part]
        failed = any(isinstance(each, DependencyResource) for each in resources)
        return resources if failed else [*resources, *others]

    return pulumi.Output.all(*(pool.changed for pool in pools)).apply(joined)


async def _by_urn(pool: pulumi.Resource, resources: Iterable[pulumi.Resource]) -> list[pulumi.Resource]:
    """The resources by their URNs, for a dependency on some that failed: the SDK refuses one on a failed resource
    itself, or on its component; the engine skips what depends on it (pulumi v3.259.0,
    pkg/resource/deploy/deployment_executor.go, handleSingleEvent).
    """
    urns = [pulumi.create_urn(each.pulumi_resource_name, each.pulumi_resource_type, pool) for each in resources]
    return [DependencyResource(str(await urn.future())) for urn in urns]


def _cost(args: PoolArgs, nodes: Collection[str]) -> float | None:
    price = args.get("price")
    return None if price is None else round(price * args["gpus_per_node"] * len(nodes), 2)


def _allocation(args: PoolArgs) -> AllocatedBy:
    return AllocatedBy(args.get("allocation", AllocatedBy.DEVICE_PLUGIN))


def _strategy(name: str, args: PoolArgs) -> Strategy:
    chosen = args.get("strategy", DEFAULT)
    try:
        return Strategy(chosen)
    except ValueError:
        text = f"must be {', '.join(Strategy)}; found {chosen!r}"
        raise FleetRefused(f"Pool '{name}'", [Finding("strategy", text)]) from None


def refuse_impossible(name: str, args: PoolArgs, layout: Layout, strategy: Strategy) -> None:
    """The rules that the policies enforce too, before anything is registered; raises :class:`PoolRefused`."""
    gpu = args.get("gpu") or layout.gpu
    facts = PoolFacts(name, gpu, args["gpus_per_node"], layout, strategy, _allocation(args))
    found = rule_conflicts([facts])
    if found:
        raise PoolRefused(explain(found))

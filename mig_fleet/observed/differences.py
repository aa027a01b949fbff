"""Compares what is expected with what was observed. Every difference of a node is created here. Pure.

Used by drift detection in `check`, and by the wait for convergence in `update`.
"""

from collections.abc import Iterable, Mapping

from mig_fleet.cluster.client import FIELD_MANAGER
from mig_fleet.failures import describe
from mig_fleet.foreign_text import printable
from mig_fleet.model import gfd, labels
from mig_fleet.model.allocated_by import AllocatedBy
from mig_fleet.model.report import STALE_AFTER_S, pending_reset
from mig_fleet.observed.configs.names import expected_by_node, expected_config
from mig_fleet.observed.drift import Difference, DriftClass
from mig_fleet.observed.expected import Expected
from mig_fleet.observed.owners.cluster_owner import node_owner
from mig_fleet.observed.owners.ownership import belongs_to_another_stack, belongs_to_another_wave
from mig_fleet.observed.plugin_settings import shared_resources
from mig_fleet.observed.published_devices import device_drift
from mig_fleet.observed.slice_differences import bare_instances, slice_differences
from mig_fleet.observed.snapshot import Node


def node_differences(expected: Expected, name: str, node: Node | None) -> list[Difference]:
    """Everything that differs on one node. What cannot be compared is a difference, too: it must not hide other nodes.

    Allocatable, published devices and GFD labels are compared only if config, state and NVML agree, and no operand is
    paused.
    """
    try:
        return _differences(expected, name, node)
    except Exception as exc:
        return [Difference(DriftClass.NOT_READY, name, f"could not be compared: {describe(exc)}")]


def _differences(expected: Expected, name: str, node: Node | None) -> list[Difference]:
    if node is None:
        return [node_missing(name)]
    if node.malformed:
        return [malformed_node(node)]
    if node.config != expected.config:
        return [config_changed(node, expected.config)]
    if node.state == "failed":
        text = f"could not apply {expected.config!r}{_nvml_reasons(node)}"
        return [Difference(DriftClass.MANAGER_FAILED, name, text), *_paused_operands(node)]
    if node.state != "success":
        state = repr(node.state) if node.state else "not set"
        not_ready = "" if node.ready else "; the node is not Ready"
        return [Difference(DriftClass.NOT_RECONCILED, name, f"MIG Manager's state is {state}{not_ready}")]
    return (
        [*_nvml_differences(expected, node), *_paused_operands(node)]
        or _shared(expected, node)
        or [
            *(
                Difference(DriftClass.ALLOCATABLE_STALE, name, text)
                for text in (*node.unreadable, *_allocatable(expected, node))
            ),
            *(device_drift(node) if expected.allocation is AllocatedBy.DRA else []),
            *(Difference(DriftClass.GFD_LABELS_STALE, name, text) for text in _gfd_labels(expected, node)),
        ]
    )


def _nvml_differences(expected: Expected, node: Node) -> list[Difference]:
    """What NVML shows of a node in state `success`, or why that is not known."""

    def one(drift: DriftClass, text: str) -> list[Difference]:
        return [Difference(drift, node.name, text)]

    if not node.ready:
        return one(DriftClass.NOT_READY, "kubelet is not Ready; its slices may be gone")
    report = node.report
    if report is None and node.unreadable_report:
        return one(DriftClass.REPORT_MISSING, f"its report cannot be read: {node.unreadable_report}")
    if report is None:
        return one(DriftClass.REPORT_MISSING, "its probe has not reported")
    if node.report_age_s is not None and node.report_age_s > STALE_AFTER_S:
        return one(DriftClass.REPORT_STALE, f"its probe has not reported for {STALE_AFTER_S / 60:.0f} minutes")
    if report.errors:
        return one(DriftClass.DRIVER_ERROR, "; ".join(report.errors))
    if report.attempt != node.attempt:
        return one(DriftClass.REPORT_MISSING, "its probe has not reported since the last change")
    if (report.config, report.state) != (node.config, node.state):
        seen = f"config {report.config or 'none'!r}, state {report.state!r}"
        return one(DriftClass.REPORT_MISSING, f"its probe last saw {seen}")
    if pending := pending_reset(report):
        return one(DriftClass.RESET_PENDING, pending)
    return slice_differences(node.name, expected.gpus, report.counts()) or bare_instances(node.name, report)


def wave_differences(expected: Mapping[str, Expected], nodes: Mapping[str, Node]) -> list[Difference]:
    """Every difference of a wave, node by node; ``expected`` is by node."""
    return [d for name in sorted(expected) for d in node_differences(expected[name], name, nodes.get(name))]


def verification_drift(
    expected: Expected, names: Iterable[str], nodes: Mapping[str, Node], config_name: str = "generated"
) -> list[Difference]:
    """Every difference of a wave, and nodes that are as expected but still isolated, or not recorded as verified.

    A node that MIG Manager has not finished counts too: in the update in which the assignment restores a label, this
    shows that verification must run. The recorded config is what a rollback returns to, and what a rollout
    bounded by `maxWavesPerUpdate` counts. A name that is kept is no difference: the assignment decides about names.
    """
    names = sorted(names)
    of_node = expected_by_node(expected, names, nodes, config_name)
    found = wave_differences(of_node, nodes)
    differing = {difference.node for difference in found}
    for node in (nodes[name] for name in names if name not in differing):
        if node.isolated:
            text = "is as declared, but still isolated: new pods are kept off"
            found.append(Difference(DriftClass.STILL_ISOLATED, node.name, text))
        if node.annotations.get(labels.VERIFIED_CONFIG) != of_node[node.name].config:
            text = "is as declared, but not recorded as verified"
            found.append(Difference(DriftClass.NOT_RECORDED, node.name, text))
    return found


def assignment_drift(
    wave: str,
    expected: Expected,
    names: Iterable[str],
    nodes: Mapping[str, Node],
    removed: Iterable[Difference],
    owner: str = "",
    config_name: str = "generated",
) -> list[Difference]:
    """What others changed about the nodes of a wave: nodes that are missing, replaced, taken over or relabelled; and
    ``removed``, the result of :func:`removed_nodes`.
    """
    found: list[Difference] = []
    for name in names:
        node = nodes.get(name)
        if node is None:
            found.append(node_missing(name))
        elif node.malformed:
            found.append(malformed_node(node))
        elif node.annotations.get(labels.WAVE) is None:
            text = "is another node of that name, without our ownership annotations"
            found.append(Difference(DriftClass.NODE_REPLACED, name, text))
        elif belongs_to_another_wave(node, wave, owner):
            found.append(taken_over(node, wave, owner))
        elif node.config != (config := expected_config(expected, node, config_name)):
            kept = config_name == "keep" and node.config
            found.append(kept_config_lost(node, config) if kept else config_changed(node, config))
    return sorted([*found, *removed], key=str)


def removed_nodes(nodes: Iterable[Node], on_delete: str) -> list[Difference]:
    """Nodes that left the pool before ``on_delete`` was applied, are isolated, or where MIG Manager failed."""
    found = []
    for node in nodes:
        if on_delete != "retain":
            text = f"was removed from the pool and waits for `onDelete: {on_delete}`"
        elif node.isolated:
            state = f"in state {node.state!r}" if node.state else "without a state"
            text = f"was removed from the pool and is still isolated; the next update restores its scheduling {state}"
        elif node.state == "failed":
            text = "was removed from the pool; the next update releases it in state 'failed'"
        else:
            continue
        found.append(Difference(DriftClass.NODE_REMOVED, node.name, text))
    return found


def node_missing(name: str) -> Difference:
    return Difference(DriftClass.NODE_MISSING, name, "is not in the cluster")


def malformed_node(node: Node) -> Difference:
    text = f"could not be read: the API server's answer about it is malformed: {node.malformed}"
    return Difference(DriftClass.NOT_READY, node.name, text)


def config_changed(node: Node, config: str) -> Difference:
    carried = f"carries config {node.config!r}" if node.config else "carries no config"
    is_others = node.config and node.config_writer not in ("", FIELD_MANAGER)
    writer = f"; written by {node.config_writer}" if is_others else ""
    return Difference(DriftClass.CONFIG_CHANGED, node.name, f"{carried}, expected {config!r}{writer}")


def kept_config_lost(node: Node, config: str) -> Difference:
    text = f"is not as declared under its own config {node.config!r}, expected {config!r}"
    return Difference(DriftClass.CONFIG_CHANGED, node.name, text)


def taken_over(node: Node, wave: str, owner: str = "") -> Difference:
    recorded = node_owner(node) if belongs_to_another_stack(node, owner) else None
    of_stack = f" of stack {recorded.stack or recorded.id}" if recorded else ""
    found = printable(node.annotations[labels.WAVE]) or "without a name"
    text = f"is owned by wave {found}{of_stack}, expected {wave}"
    return Difference(DriftClass.NODE_TAKEN_OVER, node.name, text)


def _paused_operands(node: Node) -> list[Difference]:
    """MIG Manager has finished, and did not restore the operands that it paused; meanwhile the node offers no GPU."""
    paused = node.paused_operands
    text = f"MIG Manager's state is {node.state!r}, and {', '.join(paused)} are still paused"
    return [Difference(DriftClass.OPERANDS_PAUSED, node.name, text)] if paused else []


def _shared(expected: Expected, node: Node) -> list[Difference]:
    """Resources of which the kubelet offers more than there are, or none under their own name, for good."""
    if expected.allocation is AllocatedBy.DRA:
        return []
    wrong = {name: want for name, want in expected.allocatable.items() if node.allocatable.get(name, 0) != want}
    return [
        Difference(DriftClass.RESOURCE_SHARED, node.name, f"{it.name}: expected {wrong[it.name]}, {it}")
        for it in shared_resources(node.labels, node.allocatable)
        if it.name in wrong
    ]


def _nvml_reasons(node: Node) -> str:
    """What the probe reports after a failure, which may be its cause."""
    report = node.report
    if report is None or not node.has_current_report:
        return ""
    found = [*report.errors, *filter(None, [pending_reset(report)])]
    return f"; NVML reports: {'; '.join(found)}" if found else ""


def _allocatable(expected: Expected, node: Node) -> list[str]:
    ours = {key: n for key, n in node.allocatable.items() if labels.is_gpu_resource(key)}
    if expected.allocation is AllocatedBy.DRA:
        text = "the kubelet offers {}, and with DRA no device plugin may offer any"
        return [f"{key}: {text.format(n)}" for key, n in sorted(ours.items()) if n]
    want = {key: n for key, n in expected.allocatable.items() if n}
    return [
        f"{key}: expected {want.get(key, 0)}, the kubelet offers {ours.get(key, 0)}"
        for key in sorted(want.keys() | ours.keys())
        if want.get(key, 0) != ours.get(key, 0)
    ]


def _gfd_labels(expected: Expected, node: Node) -> list[str]:
    """Expected labels, and counts of slices that must not be there any more: GFD may have stopped updating."""
    left = {key for key in node.labels if gfd.SLICE_COUNT.fullmatch(key)} - expected.labels.keys()
    product = node.labels.get(labels.PRODUCT, "")
    profile, found = gfd.single_profile(expected.gpus, expected.strategy), gfd.slice_profile(product)
    return [
        *([f"{labels.PRODUCT}: expected slices {profile}, found {product!r}"] if profile not in ("", found) else []),
        *(
            f"{key}: expected {expected.labels.get(key, 'none')!r}, found {node.labels.get(key, 'none')!r}"
            for key in sorted(expected.labels.keys() | left)
            if node.labels.get(key) != expected.labels.get(key)
        ),
    ]

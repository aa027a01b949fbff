"""What kube-state-metrics exports of nodes: their pool, config, state and isolation."""

import re

from mig_fleet.model import labels
from mig_fleet.monitoring.fleet import MonitoredFleet
from mig_fleet.monitoring.kube_state_metrics import spelled
from mig_fleet.monitoring.promql import by, one_of, text
from mig_fleet.monitoring.rules import Record
from mig_fleet.monitoring.series import CHANGING, ISOLATED, NODE, STATE

WAVE = "-(canary|wave-[01]+)"
"""What follows the pool in the name of a wave (:func:`mig_fleet.rollout.batching.waves`)."""


def node_records(fleet: MonitoredFleet) -> tuple[Record, ...]:
    return (
        Record(NODE, _nodes(fleet)),
        Record(STATE, _states()),
        *_isolated(),
        Record(
            CHANGING,
            f"max by (node) ({STATE}{{state=~{text(one_of(labels.BUSY_STATES))}}})",
            {"reason": "pending"},
        ),
        Record(CHANGING, f"max by (node) ({ISOLATED})", {"reason": "isolated"}),
    )


def _nodes(fleet: MonitoredFleet) -> str:
    wave, verified = _annotation(labels.WAVE), _annotation(labels.VERIFIED_CONFIG)
    # The name of a component may have any character; `.` matches it.
    prefix = re.sub(r"[^\w-]", ".", fleet.wave_prefix)
    pools = f"{prefix}({one_of(sorted(pool.name for pool in fleet.pools))}){WAVE}"
    rows = _renamed(f"kube_node_annotations{{{wave}=~{text(pools)}}}", "pool", wave, pools)
    return _one_per_node(("node", "pool", "config"), _renamed(rows, "config", verified))


def _states() -> str:
    config, state = _label(labels.CONFIG), _label(labels.STATE)
    rows = _renamed(f'kube_node_labels{{{config}!=""}}', "config", config)
    return _one_per_node(("node", "config", "state"), _renamed(rows, "state", state))


def _isolated() -> tuple[Record, ...]:
    taints = (
        Record(ISOLATED, f"max by (node) (kube_node_spec_taint{{key={text(key)}}})", {"reason": key.rpartition("/")[2]})
        for key in labels.OUR_TAINTS
    )
    marked = f'max by (node) (kube_node_annotations{{{_annotation(labels.CORDONED)}!=""}})'
    return (
        *taints,
        Record(ISOLATED, f"{marked} and on (node) kube_node_spec_unschedulable == 1", {"reason": "cordon"}),
    )


def _one_per_node(kept: tuple[str, ...], rows: str) -> str:
    """Two replicas of kube-state-metrics disagree for a moment after a change; two rows of one node would break every
    join with them.
    """
    return f"topk by (node) (1, max{by(kept)} ({rows}))"


def _renamed(rows: str, ours: str, theirs: str, pattern: str = "(.*)") -> str:
    return f'label_replace({rows}, "{ours}", "$1", "{theirs}", {text(pattern)})'


def _label(key: str) -> str:
    return f"label_{spelled(key)}"


def _annotation(key: str) -> str:
    return f"annotation_{spelled(key)}"

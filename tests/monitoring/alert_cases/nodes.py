"""Cases of the alerts about nodes."""

from tests.monitoring.alert_cases.case import AlertCase
from tests.monitoring.series_samples import Series, a_node, ksm


def isolated(name: str, at: str, series: list[Series], reason: str = "") -> AlertCase:
    return AlertCase("MIGNodeIsolated", name, at, series, [{"node": "n1", "reason": reason}] if reason else [])


CORDON = ksm("kube_node_spec_unschedulable", 1, node="n1")
STARTUP = ksm("kube_node_spec_taint", 1, node="n1", key="mig-fleet.dev/startup", effect="NoSchedule")
OTHER_TAINT = ksm("kube_node_spec_taint", 1, node="n1", key="dedicated", effect="NoSchedule")

ISOLATED = (
    isolated("a taint that was left", "130m", a_node("n1", tainted=True), "reconfiguring"),
    isolated("a cordon that was left", "130m", [*a_node("n1", cordoned=True), CORDON], "cordon"),
    isolated("a node that no update verified", "130m", [*a_node("n1", pool="", verified=""), STARTUP], "startup"),
    isolated("a failed wave", "130m", a_node("n1", tainted=True, state="failed"), "reconfiguring"),
    isolated("an update that may still run", "2h", a_node("n1", tainted=True)),
    isolated("a cordon of another user", "130m", [*a_node("n1"), CORDON]),
    isolated("a taint of another user", "130m", [*a_node("n1"), OTHER_TAINT]),
    isolated("our mark on a node that another user made schedulable", "130m", a_node("n1", cordoned=True)),
)


def state(alert: str, name: str, at: str, series: list[Series], config: str = "") -> AlertCase:
    return AlertCase(alert, name, at, series, [{"node": "n1", "config": config}] if config else [])


def changes(*states: tuple[str, str, str]) -> list[Series]:
    """The labels of a node: values, config, state."""
    return [
        ksm("kube_node_labels", values, node="n1", label_nvidia_com_mig_config=config,
            label_nvidia_com_mig_config_state=state)
        for values, config, state in states
    ]  # fmt: skip


STUCK = (
    state("MIGReconfigurationStuck", "pending", "40m", a_node("n1", config="b", state="pending"), "b"),
    state("MIGReconfigurationStuck", "rebooting", "40m", a_node("n1", config="b", state="rebooting"), "b"),
    state(
        "MIGReconfigurationStuck",
        "pending, then rebooting",
        "40m",
        changes(("1x20 stale", "b", "pending"), ("_x21 1x60", "b", "rebooting")),
        "b",
    ),
    state("MIGReconfigurationStuck", "the 25 minutes of MIG Manager", "26m", a_node("n1", state="pending")),
    state("MIGReconfigurationStuck", "until wedgedAfter", "31m", a_node("n1", state="pending")),
    state("MIGReconfigurationStuck", "success", "40m", a_node("n1")),
    state("MIGReconfigurationStuck", "a label without a state", "40m", a_node("n1", state="")),
    state(
        "MIGReconfigurationStuck",
        "another config since ten minutes, as after a rollback",
        "40m",
        changes(("1x30 stale", "b", "pending"), ("_x31 1x60", "a", "pending")),
    ),
)
FAILED = (
    state("MIGReconfigurationFailed", "failed", "10m", a_node("n1", config="b", state="failed"), "b"),
    state(
        "MIGReconfigurationFailed", "and isolated", "10m", a_node("n1", config="b", state="failed", tainted=True), "b"
    ),
    state("MIGReconfigurationFailed", "for three minutes", "3m", a_node("n1", state="failed")),
    state("MIGReconfigurationFailed", "success", "10m", a_node("n1")),
    state("MIGReconfigurationFailed", "pending", "10m", a_node("n1", state="pending")),
)

CASES = (*ISOLATED, *STUCK, *FAILED)

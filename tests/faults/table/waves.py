"""A failed wave halts, or returns to the layout that was verified last; soaking and waiting waves."""

from mig_fleet.model import labels
from mig_fleet.observed.operands import MIG_MANAGER
from mig_fleet.simulator import Fault as NodeFault
from tests.faults.fault import Fault, Outcome, nothing
from tests.faults.fault_run import LABEL, NODE_LIST, FaultRun
from tests.faults.scenario import FIRST_WAVE, NEW, OLD
from tests.faults.table.texts import STILL_OLD, nodes_differ, still_isolated

ROLLBACK = {"on_failure": "rollback", "recovery": False}
NO_SLICES = "NVML shows GPU 0-1: no slices"
BOTH_FAILED = tuple(f"MIG Manager failed: {node}: could not apply 'training-ea45f71e'" for node in FIRST_WAVE)
RESTART_BY_HAND = (
    "Recovery is off, so restart MIG Manager first: `kubectl -n gpu-operator delete pods -l app=nvidia-mig-manager"
)


def fail_until_rollback(run: FaultRun) -> None:
    """Both nodes fail to apply the new layout, and succeed with the old one."""
    run.inject(NodeFault.MANAGER_FAILS, *FIRST_WAVE)
    for node in FIRST_WAVE:
        clear_faults_before_label(run, node, OLD.name)


def clear_faults_before_label(run: FaultRun, node: str, config: str) -> None:
    """Clear a node's faults right before a config of that name is written to it."""
    run.before_write(LABEL + config, node, lambda: run.clear_faults(node))


def layout_lost(expected: str) -> list[str]:
    pairs = [(node, gpu) for node in FIRST_WAVE for gpu in range(2)]
    return [f"layout lost: {node}: GPU {gpu}: expected {expected}, found no slices" for node, gpu in pairs]


def fail_without_verified_config(run: FaultRun) -> None:
    run.inject(NodeFault.MANAGER_FAILS, *FIRST_WAVE)
    for node in FIRST_WAVE:
        run.patch(node, {"metadata": {"annotations": {labels.VERIFIED_CONFIG: None}}})


def restart_managers(run: FaultRun) -> None:
    """Until the new pod works, a node's label still has the state that the old pod wrote."""
    run.clear_faults(*FIRST_WAVE)
    for node in FIRST_WAVE:
        run.scenario.restart(MIG_MANAGER, node)
    for node in FIRST_WAVE:
        run.wait_for_layout(node, NEW)


def destroy_slice_during_soak(run: FaultRun) -> None:
    """At a snapshot after the first one that finds the wave as declared. A snapshot lists the reports first, so that
    one still agrees.
    """
    is_verified = False

    def check() -> None:
        nonlocal is_verified
        if is_verified:
            run.change_driver("node-1", lambda driver: driver.gpus[0].clear())
            return
        is_verified = all(run.has_layout(node, NEW) for node in FIRST_WAVE)
        run.api.when("GET", NODE_LIST, check)

    run.before_write(LABEL, "node-2", lambda: run.api.when("GET", NODE_LIST, check))


WAVES = [
    Fault(
        "a wave that is rolled back",
        "`onFailure: rollback`: MIG Manager fails to apply the new layout, and succeeds with the old one",
        fail_until_rollback,
        Outcome.FAILED,
        written=FIRST_WAVE,
        error=(
            *nodes_differ(2, *BOTH_FAILED),
            "The wave was rolled back to 'notebooks-255390f5' and verified; scheduling restored: node-1, node-2. The "
            "next update tries training-ea45f71e again.",
        ),
        rollout=ROLLBACK,
        fix="MIG Manager is repaired",
        apply_fix=lambda run: run.clear_faults(*FIRST_WAVE),
    ),
    Fault(
        "a rollback without a verified layout",
        "the nodes of the wave were never verified, as in a first update",
        fail_without_verified_config,
        Outcome.HALTED,
        written=FIRST_WAVE,
        isolated=FIRST_WAVE,
        error=(
            *nodes_differ(2, *BOTH_FAILED),
            "The wave could not be rolled back: no layout was ever verified on node-1, node-2, so there is none to "
            "return to",
            still_isolated(STILL_OLD, STILL_OLD),
            *(f"{RESTART_BY_HAND} --field-selector spec.nodeName={node}`" for node in FIRST_WAVE),
        ),
        rollout=ROLLBACK,
        fix="MIG Manager is repaired and restarted on both nodes",
        apply_fix=restart_managers,
    ),
    Fault(
        "a rollback that fails too",
        "MIG Manager fails with every config",
        lambda run: run.inject(NodeFault.MANAGER_CREATES_NOTHING, *FIRST_WAVE),
        Outcome.HALTED,
        written=FIRST_WAVE,
        isolated=FIRST_WAVE,
        error=(
            *nodes_differ(2, *layout_lost("2x 3g.40gb")),
            "The wave could not be rolled back: 2 of 2 nodes of train-wave-00 are not as the stack declares:",
            *nodes_differ(2, *layout_lost("7x 1g.10gb"))[1:],
            still_isolated(NO_SLICES, NO_SLICES, "notebooks-255390f5"),
        ),
        rollout=ROLLBACK,
        fix="MIG Manager is repaired",
        apply_fix=lambda run: run.clear_faults(*FIRST_WAVE),
    ),
    Fault(
        "a slice is destroyed during the soak time of a wave",
        "`soak`: the wave was as declared, and does not stay so until its scheduling is restored",
        destroy_slice_during_soak,
        Outcome.HALTED,
        written=FIRST_WAVE,
        isolated=FIRST_WAVE,
        error=(
            "did not stay as declared during its soak time of N s:",
            "slice missing: node-1: GPU 0: expected 2x 3g.40gb, found no slices",
            still_isolated("NVML shows GPU 0: no slices; GPU 1: 2x 3g.40gb"),
        ),
        rollout={"soak_seconds": 2},
        fix="the user or tool that destroyed it is stopped",
    ),
    Fault(
        "a wave that waits for a later update",
        "`maxWavesPerUpdate: 1`: the second wave keeps its layout until the next update",
        nothing,
        Outcome.SUCCEEDED,
        written=FIRST_WAVE,
        pool={"max_waves": 1},
        next_update="changes the second wave",
    ),
]

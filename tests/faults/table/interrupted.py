"""Updates that a user interrupts, and previews after an update that halted or was killed."""

from collections.abc import Callable

from mig_fleet.model import labels
from mig_fleet.observed.operands import MIG_MANAGER
from mig_fleet.rollout import engine_run
from mig_fleet.simulator import Fault as NodeFault
from tests.faults.fault import Fault, Outcome
from tests.faults.fault_run import NODE_LIST, POD_LIST, FaultRun
from tests.faults.scenario import FEWER, FIRST_WAVE, NEW, POOL
from tests.faults.table.texts import (
    LAST_OLD,
    NEW_SLICES,
    OLD_SLICES,
    OWNED_POD,
    SCHEDULING_RESTORED,
    restore_command,
    still_isolated,
)

TAINTED = "isolated by taint mig-fleet.dev/reconfiguring"


def interrupt_when(run: FaultRun, path: str, is_due: Callable[[], bool]) -> None:
    """Interrupt the update at the second such request for which ``is_due`` is true: the first one has been shown."""
    seen = 0

    def check() -> None:
        nonlocal seen
        seen += bool(is_due())
        if seen == 2:
            engine_run.interrupt()
        else:
            run.api.when("GET", path, check)

    run.api.when("GET", path, check)


def interrupt_while_manager_works(run: FaultRun) -> None:
    run.inject(NodeFault.MANAGER_STUCK_PENDING, "node-1")

    def only_node_1_is_pending() -> bool:
        return run.scenario.site.state("node-1") == "pending" and run.has_layout("node-2", NEW)

    interrupt_when(run, NODE_LIST, only_node_1_is_pending)


def interrupt_while_pods_run(run: FaultRun) -> None:
    run.run_pod("node-1", owner="Deployment")
    interrupt_when(run, POD_LIST, lambda: run.isolated() == list(FIRST_WAVE))


def restart_manager(run: FaultRun) -> None:
    run.clear_faults("node-1")
    run.scenario.restart(MIG_MANAGER, "node-1")


def halt(run: FaultRun) -> None:
    """An update before this one failed on node-1, whose fault was then repaired."""
    run.inject(NodeFault.MANAGER_FAILS, "node-1")
    assert run.stack.up(run.stack.program(NEW, {"recovery": False})).error
    run.clear_faults("node-1")


def isolate(run: FaultRun) -> None:
    """As an update leaves the nodes that was killed before it wrote a label."""
    for node in FIRST_WAVE:
        run.patch(node, {"spec": {"taints": [{"key": labels.TAINT, "effect": "NoSchedule"}]}})


def half_done(node: str, config: str, state: str, slices: str, then: str) -> tuple[str, ...]:
    return tuple(
        f"unfinishedNodes: {line}"
        for line in (
            f"{node}: config {config}, state '{state}', {TAINTED}",
            f"{node}: NVML {slices}",
            f"{node}: the next update {then}",
            f"{restore_command(node)} restores its scheduling by hand",
        )
    )


INTERRUPTED = [
    Fault(
        "Ctrl-C while MIG Manager works on a node",
        "a user presses Ctrl-C once, or the CI job is cancelled: the engine sends `Cancel` to the providers",
        interrupt_while_manager_works,
        Outcome.HALTED,
        written=FIRST_WAVE,
        isolated=FIRST_WAVE,
        error=(
            "interrupted after N s; at that moment: 1 of 2 nodes verified; node-1: MIG Manager's state is 'pending'",
            still_isolated(LAST_OLD),
        ),
        fix="MIG Manager is repaired and restarted",
        apply_fix=restart_manager,
        next_update="finishes the change",
    ),
    Fault(
        "Ctrl-C while a wave waits for users' pods",
        "a user presses Ctrl-C once during `onUserPods: wait`",
        interrupt_while_pods_run,
        Outcome.REFUSED,
        written=FIRST_WAVE,
        preview=(f"podsLosingSlices: node-1: {OWNED_POD}",),
        error=(
            f"no node was relabelled: interrupted after N s; at that moment: waits for 1 pod(s) to leave: {OWNED_POD}",
            SCHEDULING_RESTORED,
        ),
        rollout={"on_user_pods": "wait"},
        fix="the pod ends",
        apply_fix=lambda run: run.delete_pods(),
        next_update="makes the change",
        target=FEWER,
    ),
    Fault(
        "an earlier update halted",
        "MIG Manager failed on a node; the cause is repaired, and the preview names what is half done",
        halt,
        Outcome.SUCCEEDED,
        written=POOL,
        preview=(
            *half_done(
                "node-1",
                "training-ea45f71e",
                "failed",
                f"still shows {OLD_SLICES}",
                "restarts MIG Manager there and verifies it",
            ),
            *half_done(
                "node-2",
                "training-ea45f71e",
                "success",
                f"shows {NEW_SLICES}",
                "verifies it and restores its scheduling",
            ),
        ),
        remedies=("node-1: restarted MIG Manager (MIG Manager failed)",),
    ),
    Fault(
        "an earlier update was killed before it wrote a label",
        "`pulumi` was killed, or its machine was switched off, after the nodes were isolated",
        isolate,
        Outcome.SUCCEEDED,
        written=POOL,
        preview=tuple(
            line
            for node in FIRST_WAVE
            for line in half_done(
                node,
                "notebooks-255390f5",
                "success",
                f"shows {OLD_SLICES}",
                "reconfigures it to training-ea45f71e",
            )
        ),
    ),
]

"""Two stacks on one cluster: the record of the owner on the layout file and on the nodes."""

from mig_fleet.model import labels
from tests.faults.fault import Fault, Outcome
from tests.faults.fault_run import FaultRun
from tests.faults.scenario import NEW, OLD, OWNER, POOL
from tests.faults.table.other_writers import CONFIG_MAP

OUR_STACK, THEIR_STACK = OWNER.partition(" ")[2], "organization/gpus/prod"
THEIR_ID = "7c0ffee7c0ff"


def record(run: FaultRun, owner: str | None, *nodes: str) -> None:
    """Record an owner on the layout file and on nodes; ``None`` removes the record."""
    body = {"metadata": {"annotations": {labels.OWNER: owner}}}
    run.fleet.call("patch", CONFIG_MAP, body)
    for node in nodes:
        run.patch(node, body)


def take_over(run: FaultRun, stack: str) -> None:
    """One update with `cluster.takeOver`."""
    update = run.stack.up(run.stack.program(NEW, take_over=f"{THEIR_ID} {stack}"))
    assert not update.error, update.error


def owned(stack: str, *hints: str) -> tuple[str, ...]:
    """The error of a stack whose cluster another one owns."""
    return (
        f"the cluster is owned by stack {stack} ({THEIR_ID}), as recorded on ConfigMap mig-fleet-layouts and nodes "
        "node-1, node-2, node-3; nothing was changed.",
        *hints,
        "To take the cluster over on purpose: `pulumi config set --path mig-fleet:cluster.takeOver "
        f"'{THEIR_ID} {stack}'`; in a program with arguments, the same as `takeOver` of its cluster.",
        f"Previews, updates and destroys of {stack} ({THEIR_ID}) are refused from then on; there `pulumi stack rm "
        f"--force --preserve-config {stack}` forgets it without changing the cluster.",
    )


OWNERS = [
    Fault(
        "another stack owns the cluster",
        "a second stack of mig-fleet, of another project or in another backend, was deployed to the cluster",
        lambda run: record(run, f"{THEIR_ID} {THEIR_STACK}", *POOL),
        Outcome.REFUSED,
        written=(),
        error=owned(
            THEIR_STACK,
            f"It was taken over from this stack. `pulumi stack rm --force --preserve-config {OUR_STACK}` forgets this "
            "stack without changing the cluster.",
        ),
        fix="`cluster.takeOver` names the recorded owner in one update",
        apply_fix=lambda run: take_over(run, THEIR_STACK),
    ),
    Fault(
        "the state of the stack was lost",
        "a stack of the same name was created again, or in another backend: its id is another one",
        lambda run: record(run, f"{THEIR_ID} {OUR_STACK}", *POOL),
        Outcome.REFUSED,
        written=(),
        error=owned(
            OUR_STACK,
            "That is the name of this stack, with another id: the state of this stack was lost, or another backend has "
            "a stack of this name.",
        ),
        fix="`cluster.takeOver` names the recorded owner, which has the name of the stack itself, in one update",
        apply_fix=lambda run: take_over(run, OUR_STACK),
    ),
    Fault(
        "a node records another stack",
        "an update that took the cluster over was interrupted, and the layout file was written already",
        lambda run: run.patch("node-1", {"metadata": {"annotations": {labels.OWNER: f"{THEIR_ID} {THEIR_STACK}"}}}),
        Outcome.SUCCEEDED,
        written=("node-1",),
        preview=(
            f"drift: node taken over: node-1: is owned by wave train-wave-00 of stack {THEIR_STACK}, expected "
            "train-wave-00",
        ),
        target=OLD,
    ),
    Fault(
        "the layout file records no owner",
        "another tool replaced the ConfigMap with its content and without its annotations",
        lambda run: record(run, None),
        Outcome.SUCCEEDED,
        written=(),
        preview=(f"drift: ConfigMap edited: its owner is not recorded, expected stack {OUR_STACK}",),
        target=OLD,
    ),
]

"""The steps of an update: what it does in which order, about how long it takes, and how to undo it."""

from collections.abc import Sequence

from mig_fleet.review.refusals import is_refused
from mig_fleet.review.review import Estimate, Outcome, Wave

WAVE_S = 180.0
"""A wave whose slices change, without waiting for pods: the kubelet shows MIG Manager the new layout file within a
minute (its sync period), MIG Manager stops and starts four operands around the change, and the probe reports."""
RENAMED_S = 60.0
"""A wave of which no GPU is touched: the label, and the next report."""

BASIS = (
    "about 3 minutes for a wave whose slices change and 1 minute for any other, and the soak times; at most, the "
    "timeout of each step. Waves of a pool follow one another, pools run side by side. Not measured on these nodes"
)


def steps_of(waves: Sequence[Wave]) -> tuple[str, ...]:
    """One sentence per wave, by pool; a pool's waves follow one another and end with the first that fails."""
    found: list[str] = []
    stopped: set[str] = set()
    for wave in waves:
        if wave.pool in stopped:
            found.append(f"{wave.name}: not reached")
        elif is_refused(wave):
            found.append(f"{wave.name}: refused before any of its nodes is changed; the update ends with an error")
            stopped.add(wave.pool)
        else:
            found.append(f"{wave.name}: {_course(wave)}")
    return tuple(found)


def estimate_of(waves: Sequence[Wave]) -> Estimate | None:
    """``None`` if nothing is rolled out."""
    least: dict[str, float] = {}
    most: dict[str, float] = {}
    for wave in waves:
        if wave.is_held or wave.is_removed or is_refused(wave):
            continue
        touched = bool(wave.touched_nodes or wave.drift or wave.unfinished or wave.is_unknown)
        least[wave.pool] = least.get(wave.pool, 0) + wave.soak_s * touched + (WAVE_S if touched else RENAMED_S)
        rollback = 1 if wave.on_failure == "rollback" else 0
        most[wave.pool] = most.get(wave.pool, 0) + wave.soak_s + wave.timeout_s * (2 + rollback)
    return Estimate(max(least.values()), max(*most.values(), *least.values()), BASIS) if least else None


def undo_of(waves: Sequence[Wave], outcome: Outcome) -> tuple[str, ...]:
    """What returns the nodes to what they are now, and what it does not bring back."""
    if outcome in (Outcome.NOTHING, Outcome.OTHERS) or not waves:
        return ()
    found = []
    changed = [wave for wave in waves if not wave.is_removed]
    if all(wave.is_new for wave in waves):
        found.append("`pulumi destroy` removes the stack; under `onDelete: retain` the nodes keep the new config")
    elif any(wave.touched_nodes and not wave.drift for wave in changed):
        found.append("revert the commit and run `pulumi up`: the same waves change back, with the same rules for pods")
    if any(wave.is_removed for wave in waves):
        found.append("revert the commit and run `pulumi up`: the pool adopts its nodes again")
    if any(wave.on_user_pods == "evict" and wave.pods for wave in waves):
        found.append("an evicted pod does not return to its node by itself: its controller has created another one")
    if any(wave.on_failure == "rollback" and wave.touched_nodes for wave in waves):
        found.append("a wave that fails returns to its verified layout by itself (`onFailure: rollback`)")
    elif any(wave.touched_nodes for wave in waves):
        found.append("a wave that fails stays isolated (`onFailure: halt`), and the error names its nodes")
    return tuple(found)


def _course(wave: Wave) -> str:
    if wave.is_removed:
        return f"releases its nodes (onDelete: {wave.on_delete})"
    if wave.is_held:
        return "waits for a later update"
    if wave.is_unknown:
        return "not known: the cluster was not read"
    if not wave.touched_nodes:
        if wave.drift or wave.unfinished:
            return "repairs its nodes one at a time, verifies them, restores scheduling"
        return "writes the config names and verifies them; no node is isolated and no pod evicted"
    pods = len(wave.pods) + wave.more_pods
    drain = {
        "evict": f"evicts {pods} pod{'s' if pods != 1 else ''}",
        "wait": f"waits for {pods} pod{'s' if pods != 1 else ''}",
    }.get(wave.on_user_pods, "")
    number = len(wave.touched_nodes)
    steps = [
        f"isolates {number} node{'s' if number != 1 else ''}",
        *([drain] if pods and drain else []),
        "MIG Manager partitions the GPUs",
        "verifies the slices",
        *([f"soaks for {format_duration(wave.soak_s)}"] if wave.soak_s else []),
        "restores scheduling",
    ]
    return ", ".join(steps)


def format_duration(seconds: float) -> str:
    """``40 s``, ``3 min``, ``2 h 5 min``"""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    hours, rest = divmod(minutes, 60)
    return " ".join([*([f"{hours} h"] if hours else []), *([f"{rest} min"] if rest or not hours else [])])

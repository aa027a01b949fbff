"""Why an update will be refused, as far as its preview shows it; each sentence names the node, pod or policy."""

from collections.abc import Iterable, Iterator, Sequence

from mig_fleet.foreign_text import printable
from mig_fleet.review.review import Pod, PolicyResult, Wave

LISTED = 3
"""Names in a sentence; the others are counted."""
DENIED = "preview failed"
"""The engine's whole error after a mandatory policy was violated."""
NOT_REPAIRED = "; an update is refused while "
"""Part of a difference that pods keep from being repaired (rollout/repair_obstacles.py)."""
LONGEST = 300
"""Characters of an error or a policy's message in a sentence; the whole text is beside it."""


def refusals_of(errors: Iterable[str], policies: Iterable[PolicyResult], waves: Iterable[Wave]) -> Iterator[str]:
    """In the order in which they stop the update: policies and the preview stop all of it, a wave those after it."""
    denials = [policy for policy in policies if policy.denies]
    for policy in denials:
        yield denial(policy)
    for error in errors:
        if not (denials and error == DENIED):
            yield f"the preview fails: {printable(error, LONGEST)}"
    for wave in waves:
        yield from _of_wave(wave)


def denial(policy: PolicyResult) -> str:
    return f"policy {policy.policy} denies it: {printable(policy.message, LONGEST)}"


def is_refused(wave: Wave) -> bool:
    """Whether the update ends at this wave, before any of its nodes is changed."""
    return any(True for _ in _of_wave(wave))


def _of_wave(wave: Wave) -> Iterator[str]:
    if wave.is_held:
        return
    yield from (line for line in wave.drift if NOT_REPAIRED in line)
    if wave.missing:
        verb = "is" if len(wave.missing) == 1 else "are"
        yield f"{counted_nodes(wave.missing)} of {wave.name} {verb} not in the cluster"
    if wave.on_user_pods == "refuse":
        if wave.pods or wave.more_pods:
            yield _in_use(wave)
        return
    blocked = [pod for pod in wave.pods if _cannot_move(pod, wave.on_user_pods)]
    if blocked:
        node = counted_nodes(sorted({pod.node for pod in blocked}))
        yield f"{node} is in use by {_owners(blocked, 0)}, which no eviction moves"
    if wave.stranded and wave.on_stranded_pods == "refuse":
        number = len(wave.stranded) + wave.more_stranded
        pods = "1 pod" if number == 1 else f"{number} pods"
        yield f"{pods} of {wave.name} would find no slice: {_owners(wave.stranded, wave.more_stranded)}"


def _in_use(wave: Wave) -> str:
    nodes = sorted({pod.node for pod in wave.pods if pod.node})
    if len(nodes) == 1 and not wave.more_pods:
        return f"node {nodes[0]} is in use by {_owners(wave.pods, 0)}"
    verb = "is" if len(nodes) == 1 else "are"
    return f"{counted_nodes(nodes)} of {wave.name} {verb} in use by {_owners(wave.pods, wave.more_pods)}"


def _cannot_move(pod: Pod, on_user_pods: str) -> bool:
    """The pods that docs/reference/rollout.md lists, as far as a preview names them: its tolerations are not in it."""
    kind = pod.owner.partition(" ")[0]
    return kind in ("DaemonSet", "Node") or (not pod.owner and on_user_pods == "evict")


def _owners(pods: Sequence[Pod], more: int) -> str:
    """``chat (4 pods), train-a (1 pod) and 2 others``"""
    counts: dict[str, int] = {}
    for pod in pods:
        name = pod.owner.partition(" ")[2] or pod.name
        counts[name] = counts.get(name, 0) + 1
    parts = [f"{name} ({n} pod{'s' if n != 1 else ''})" for name, n in counts.items()]
    rest = sum(list(counts.values())[LISTED:]) + more
    return ", ".join(parts[:LISTED]) + (f" and {rest} more pod{'s' if rest != 1 else ''}" if rest else "")


def counted_nodes(names: Sequence[str]) -> str:
    """``node a``, ``nodes a, b`` or ``nodes a, b, c and 9 more``"""
    if not names:
        return "nodes"
    shown, more = names[:LISTED], len(names) - LISTED
    return f"node{'s' if len(names) > 1 else ''} {', '.join(shown)}" + (f" and {more} more" if more > 0 else "")

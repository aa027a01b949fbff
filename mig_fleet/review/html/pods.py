"""Users' pods that the update concerns."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from mig_fleet.review.html.elements import element
from mig_fleet.review.html.tables import table
from mig_fleet.review.review import Pod, Wave

THEN = {
    "refuse": "the update is refused while it runs",
    "wait": "the update waits until it ends",
    "evict": "is evicted",
}
"""What ``onUserPods`` means for a pod that loses its slices."""
STRANDED_THEN = {"refuse": "the update is refused while it finds none", "warn": "stays pending"}


def losing_pods(waves: Sequence[Wave]) -> list[Element]:
    """A table of the pods that lose their slices, and the number of those that the preview does not name."""
    rows = [
        (pod.name, pod.owner, pod.node, _has(pod), THEN.get(wave.on_user_pods, wave.on_user_pods))
        for wave in waves
        for pod in wave.pods
    ]
    more = sum(wave.more_pods for wave in waves)
    return _shown(("pod", "owner", "node", "what it has", "then"), rows, more)


def stranded_pods(waves: Sequence[Wave]) -> list[Element]:
    """A table of the pods that would be stranded."""
    rows = [
        (pod.name, pod.owner, _has(pod), pod.reason, STRANDED_THEN.get(wave.on_stranded_pods, wave.on_stranded_pods))
        for wave in waves
        for pod in wave.stranded
    ]
    more = sum(wave.more_stranded for wave in waves)
    return _shown(("pod", "owner", "what it needs", "why it finds none", "then"), rows, more)


def _has(pod: Pod) -> str:
    """The sentence about the pod, without its name, owner and node if it begins with them."""
    known = f"{pod.name} ({pod.owner or 'no owner'}) "
    return pod.text.removeprefix(f"{pod.node}: {known}").removeprefix(known)


def _shown(heads: Sequence[str], rows: Sequence[Sequence[str]], more: int) -> list[Element]:
    found = [table(heads, rows)] if rows else []
    if more:
        found.append(element("p", f"And {more} more that the preview does not name.", class_="quiet"))
    return found

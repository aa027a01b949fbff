"""The pods that an update disturbs, each one once, with what happens to it."""

from dataclasses import dataclass

from mig_fleet.review.refusals import is_refused
from mig_fleet.review.review import Pod, Review

_LOSES = {"refuse": "loses its slices", "wait": "is waited for", "evict": "is evicted"}


@dataclass(frozen=True, slots=True)
class DisturbedPod:
    """``what``: what happens, ``is evicted, finds no slice``."""

    name: str
    owner: str
    node: str
    what: str


def disturbed_pods(review: Review) -> list[DisturbedPod]:
    """In the order of the preview. A pod that one wave evicts may find no slice only after another one. Nothing happens
    to the pods of a wave that is refused, or not reached.
    """
    stopped = {wave.pool for wave in review.waves} if review.errors or review.denials else set[str]()
    pods: dict[str, Pod] = {}
    loses: dict[str, str] = {}
    finds: dict[str, str] = {}
    for wave in review.waves:
        stopped |= {wave.pool} if is_refused(wave) else set()
        refused = wave.pool in stopped
        for pod in (*wave.pods, *wave.stranded):
            pods.setdefault(pod.name, pod)
        verb = "would lose its slices" if refused else _LOSES.get(wave.on_user_pods, "loses its slices")
        loses.update((pod.name, verb) for pod in wave.pods)
        finds.update((pod.name, "would find no slice" if refused else "finds no slice") for pod in wave.stranded)
    return [
        DisturbedPod(name, pod.owner, pod.node, ", ".join(it[name] for it in (loses, finds) if name in it))
        for name, pod in pods.items()
    ]

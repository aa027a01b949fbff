"""How many different layouts per second `mig_fleet.model.prove` decides on one core, each of them for the first time.

    make benchmark

Every multiset of up to 7 profiles of every model is proven. No proof caches anything for the next; only what all
layouts of a model share is built once, so the best of three runs is as cold as the first. The catalog is read before
the clock starts. The clock is processor time, so other work on the machine does not count. The reason and the nearest
layouts are made on demand, so they are timed separately. Exits 1 below 10 000 proofs per second.
"""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations_with_replacement
from typing import TypeVar

from mig_fleet.model import Proof, gpus, prove
from mig_fleet.model.gpus import GpuModel
from mig_fleet.model.placement import explain, nearest

FLOOR = 10_000

T = TypeVar("T")
Request = tuple[GpuModel, Counter[str]]


def requests() -> Iterator[Request]:
    """A GPU model and counted profiles, every combination once."""
    for model in gpus.all_models():
        for size in range(1, 8):
            for names in combinations_with_replacement(model.profiles, size):
                yield model, Counter(names)


def measure(requested: Sequence[Request]) -> float:
    """Proofs per second of processor time: verdict, placements and creation order."""
    return _rate(requested, lambda request: prove(*request))


def measure_explanations(proofs: Sequence[Proof]) -> float:
    """Reasons with nearest layouts per second of processor time, which are made on demand."""
    return _rate(proofs, lambda proof: (explain(proof), nearest(proof)))


def _rate(items: Sequence[T], do: Callable[[T], object]) -> float:
    """The best of three runs, because other work slows a shared processor."""
    taken = []
    for _ in range(3):
        started = time.process_time()
        for item in items:
            do(item)
        taken.append(time.process_time() - started)
    return len(items) / min(taken)


def main() -> int:
    every = list(requests())
    rate = measure(every)
    proofs = [prove(*request) for request in every]
    verdicts = Counter(proof.verdict for proof in proofs)
    shares = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items())
    print(f"{len(every)} layouts: {rate:,.0f} per second ({shares})")
    placed = [request for request, proof in zip(every, proofs, strict=True) if proof.fits]
    placed_rate = measure(placed)
    print(f"the {len(placed)} that fit, with placements and creation order: {placed_rate:,.0f} per second")
    explained_rate = measure_explanations(proofs)
    both = 1 / (1 / rate + 1 / explained_rate)
    print(f"the reason and the nearest layouts of each: {explained_rate:,.0f} per second; with proof: {both:,.0f}")
    return 0 if min(rate, placed_rate) >= FLOOR else 1


if __name__ == "__main__":
    sys.exit(main())

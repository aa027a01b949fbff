"""How many different layouts a second `mig.prove` decides on one core, each of them for the first time.

    make benchmark

Every multiset of up to 7 profiles of every model is proven. No proof keeps anything for the next, only what is the same
for all layouts of a model is built once, so the best of three runs is as cold as the first. The catalog is read before
the clock starts, and the clock is the processor's: what else runs on the machine does not count. The reason and the
nearest layouts are made on demand, so they are timed apart. Exits 1 below 10 000 proofs a second.
"""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations_with_replacement
from typing import TypeVar

from mig_fleet.model import Proof, gpus, prove
from mig_fleet.model.gpus import GpuModel

FLOOR = 10_000

T = TypeVar("T")
Question = tuple[GpuModel, Counter[str]]


def questions() -> Iterator[Question]:
    """A GPU model and counted profiles, every combination once."""
    for model in gpus.all_models():
        for size in range(1, 8):
            for names in combinations_with_replacement(model.profiles, size):
                yield model, Counter(names)


def measure(asked: Sequence[Question]) -> float:
    """Proofs a second of processor time: verdict, placements and order."""
    return _rate(asked, lambda question: prove(*question))


def measure_words(proofs: Sequence[Proof]) -> float:
    """Proofs a second that say their reason and the nearest layouts, which are made when somebody asks for them."""
    return _rate(proofs, lambda proof: (proof.reason, proof.nearest))


def _rate(items: Sequence[T], do: Callable[[T], object]) -> float:
    """The best of three runs: what else runs on the machine slows a processor that is shared."""
    taken = []
    for _ in range(3):
        started = time.process_time()
        for item in items:
            do(item)
        taken.append(time.process_time() - started)
    return len(items) / min(taken)


def main() -> int:
    every = list(questions())
    rate = measure(every)
    proofs = [prove(*question) for question in every]
    verdicts = Counter(proof.verdict for proof in proofs)
    shares = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items())
    print(f"{len(every)} layouts: {rate:,.0f} a second ({shares})")
    placed = [question for question, proof in zip(every, proofs, strict=True) if proof.fits]
    placed_rate = measure(placed)
    print(f"the {len(placed)} that have a place, with placements and order: {placed_rate:,.0f} a second")
    words_rate = measure_words(proofs)
    both = 1 / (1 / rate + 1 / words_rate)
    print(f"the reason and the nearest layouts of each: {words_rate:,.0f} a second; proof and words: {both:,.0f}")
    return 0 if min(rate, placed_rate) >= FLOOR else 1


if __name__ == "__main__":
    sys.exit(main())

"""How many different layouts a second `mig.prove` decides on one core, each of them for the first time.

    make benchmark

Every multiset of up to 7 profiles of every model is proven once; nothing that a proof computes is kept for the next.
The catalog is read before the clock starts, and the clock is the processor's: what else runs on the machine does not
count. Exits 1 below 10 000 proofs a second.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement

from mig import Verdict, gpus, prove
from mig.gpus import GpuModel

FLOOR = 10_000

Question = tuple[GpuModel, Counter[str]]


def questions() -> Iterator[Question]:
    """A GPU model and counted profiles, every combination once."""
    for model in gpus.all_models():
        for size in range(1, 8):
            for names in combinations_with_replacement(model.profiles, size):
                yield model, Counter(names)


def measure(asked: Sequence[Question]) -> tuple[float, Counter[Verdict]]:
    """Proofs a second of processor time, and how often each verdict came out."""
    verdicts: Counter[Verdict] = Counter()
    started = time.process_time()
    for model, profiles in asked:
        verdicts[prove(model, profiles).verdict] += 1
    return len(asked) / (time.process_time() - started), verdicts


def main() -> int:
    every = list(questions())
    rate, verdicts = measure(every)
    shares = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items())
    print(f"{len(every)} layouts: {rate:,.0f} a second ({shares})")
    feasible = [question for question in every if prove(*question)]
    feasible_rate, _ = measure(feasible)
    print(f"the {len(feasible)} feasible ones alone, with placements and order: {feasible_rate:,.0f} a second")
    return 0 if min(rate, feasible_rate) >= FLOOR else 1


if __name__ == "__main__":
    sys.exit(main())

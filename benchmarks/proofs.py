"""How many different layouts a second `mig.prove` decides, on one core, each of them for the first time.

    python benchmarks/proofs.py

Every multiset of up to 7 profiles of every model is proven once; nothing a proof computes is kept for the next one. The
catalog is read before the clock starts. Exits 1 below 10 000 proofs a second.
"""

import sys
import time
from collections import Counter
from itertools import combinations_with_replacement

from mig import gpus, prove

FLOOR = 10_000


def main() -> int:
    questions = [
        (model, Counter(names))
        for model in gpus.all_models()
        for size in range(1, 8)
        for names in combinations_with_replacement(model.profiles, size)
    ]
    verdicts: Counter[str] = Counter()
    started = time.perf_counter()
    for model, profiles in questions:
        verdicts[prove(model, profiles).verdict] += 1
    seconds = time.perf_counter() - started
    rate = len(questions) / seconds
    shares = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items())
    print(f"{len(questions)} layouts in {seconds:.2f} s: {rate:,.0f} a second ({shares})")

    feasible = [question for question in questions if prove(*question)]
    started = time.perf_counter()
    for model, profiles in feasible:
        prove(model, profiles)
    feasible_rate = len(feasible) / (time.perf_counter() - started)
    print(f"the {len(feasible)} feasible ones alone, with placements and order: {feasible_rate:,.0f} a second")
    return 0 if min(rate, feasible_rate) >= FLOOR else 1


if __name__ == "__main__":
    sys.exit(main())

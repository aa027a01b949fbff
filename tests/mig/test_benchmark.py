"""The benchmark of proofs runs, and proofs are far from slow."""

from itertools import islice

from benchmarks.proofs import FLOOR, measure, questions
from mig import Verdict


def test_a_part_of_the_benchmark_stays_far_above_a_tenth_of_its_floor() -> None:
    rate, verdicts = measure(list(islice(questions(), 0, None, 20)))
    assert set(verdicts) == set(Verdict), "the part must hold questions of every kind"
    assert rate > FLOOR / 10, "processor time, and a tenth: only a much slower search can fail here"

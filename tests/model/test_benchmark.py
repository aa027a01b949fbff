"""The benchmark of proofs runs, and proofs and their explanations are fast enough."""

from itertools import islice

from benchmarks.proofs import FLOOR, measure, measure_explanations, requests
from mig_fleet.model import Verdict, prove


def test_a_part_of_the_benchmark_stays_far_above_a_tenth_of_its_floor() -> None:
    part = list(islice(requests(), 0, None, 40))
    proofs = [prove(*request) for request in part]
    assert {proof.verdict for proof in proofs} == set(Verdict), "the part must have every verdict"
    assert measure(part) > FLOOR / 10, "processor time, and a tenth: only a much slower search can fail here"
    assert measure_explanations(proofs) > FLOOR / 10

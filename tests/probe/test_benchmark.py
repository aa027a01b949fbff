"""The benchmark of readings runs, and a reading is far from slow."""

from benchmarks.probe_read import GPUS, MOST_MB, MOST_MS, SLICES, measure


def test_a_few_readings_stay_far_below_ten_times_what_is_allowed() -> None:
    found = measure(runs=5)
    assert found.slices == found.pods == GPUS * SLICES
    assert min(found.seconds) * 1000 < 10 * MOST_MS, "the fastest of five, and ten times: load cannot fail this"
    assert found.peak_mb <= MOST_MB

"""The series of the simulated dcgm-exporter have the shape of the real one's under MIG."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mig_fleet.simulator.telemetry import counters
from mig_fleet.simulator.telemetry.activity import ACTIVITY as ACTIVITY_ANNOTATION
from mig_fleet.simulator.telemetry.activity import load
from mig_fleet.simulator.telemetry.counters import CountersError
from mig_fleet.simulator.telemetry.dcgm_exporter import Spelling
from mig_fleet.simulator.telemetry.exposition import Family, Sample, text
from mig_fleet.simulator.telemetry.scraping import scraped
from tests.conftest import ADriver
from tests.simulator.telemetry import (
    ACTIVITY,
    FREE,
    NOW,
    POWER,
    USED,
    XID,
    by_slice,
    pod_on,
    reading,
    rendered,
)

MIXED = ("3g.40gb", "2g.20gb", "1g.10gb")
MEMORY = {"3g.40gb": 40448, "2g.20gb": 20096, "1g.10gb": 9984}


def test_a_gpu_with_mig_has_rows_for_its_slices_only_and_they_have_the_boards_uuid(a_driver: ADriver) -> None:
    driver = a_driver(*MIXED)
    rows = rendered(reading(driver))[ACTIVITY].samples
    assert {row.labels["GPU_I_PROFILE"]: row.labels["GPU_I_ID"] for row in rows} == {
        instance.profile: str(instance.id) for instance in driver.gpus[0].instances
    }
    assert {row.labels["UUID"] for row in rows} == {driver.gpus[0].uuid}, "the UUID of a slice is not exported"
    assert rendered(reading(a_driver()))[ACTIVITY].samples == (), "a GPU with MIG and no slice has no row"


def test_a_gpu_without_mig_is_one_row_without_the_labels_of_a_slice(a_driver: ADriver) -> None:
    (row,) = rendered(reading(a_driver(mig=False)))[ACTIVITY].samples
    assert not {"GPU_I_PROFILE", "GPU_I_ID"} & row.labels.keys()


def test_board_values_are_repeated_on_each_slice_and_follow_all_of_them(a_driver: ADriver) -> None:
    driver = a_driver(*MIXED)
    busy = reading(driver, pod_on(driver, 0, 0), pod_on(driver, 0, 1, "serving"))
    watts = [row.value for row in rendered(busy)[POWER].samples]
    assert len(watts) == 3 and len(set(watts)) == 1
    assert watts[0] > rendered(reading(driver))[POWER].samples[0].value, "a busy board draws more power"


def test_a_slice_reports_its_own_activity_and_memory_and_an_unallocated_one_no_activity(a_driver: ADriver) -> None:
    driver = a_driver(*MIXED)
    found = rendered(reading(driver, pod_on(driver, 0, 0)))
    activity = {row.labels["GPU_I_PROFILE"]: row.value for row in found[ACTIVITY].samples}
    assert activity["3g.40gb"] == load("ml/training", {}, NOW).engine > 0
    assert activity["2g.20gb"] == activity["1g.10gb"] == 0, "zero, and not missing"
    used, free = by_slice(found[USED]), by_slice(found[FREE])
    for place, row in used.items():
        assert row.value + free[place].value == MEMORY[row.labels["GPU_I_PROFILE"]]


def test_utilization_is_blank_under_mig_and_a_percentage_without(a_driver: ADriver) -> None:
    assert rendered(reading(a_driver(*MIXED)))["DCGM_FI_DEV_GPU_UTIL"].samples == ()
    whole = a_driver(mig=False)
    (row,) = rendered(reading(whole, pod_on(whole, 0, None)))["DCGM_FI_DEV_GPU_UTIL"].samples
    assert 1 < row.value <= 100
    assert row.labels["pod"] == "training"


def test_only_listed_fields_are_exported_and_labels_of_the_list_are_on_every_row(a_driver: ADriver) -> None:
    found = rendered(reading(a_driver(*MIXED)))
    assert ACTIVITY in found and "DCGM_FI_PROF_SM_ACTIVE" not in found
    assert {row.labels["DCGM_FI_DRIVER_VERSION"] for row in found[ACTIVITY].samples} == {"580.126.09"}


def test_an_xid_has_no_series_before_it_happens_and_is_on_its_slice_only(a_driver: ADriver) -> None:
    driver = a_driver(*MIXED)
    assert rendered(reading(driver))[XID].samples == ()
    (row,) = rendered(reading(driver, xids={(0, driver.gpus[0].instances[1].id): 94}))[XID].samples
    assert (row.value, row.labels["GPU_I_PROFILE"], row.labels["err_msg"]) == (94, "2g.20gb", "Contained ECC error")


def test_an_old_exporter_has_another_label_for_the_host(a_driver: ADriver) -> None:
    for label in ("Hostname", "hostname"):
        rows = rendered(reading(a_driver(*MIXED)), Spelling(label))[ACTIVITY].samples
        assert {row.labels[label] for row in rows} == {"node-1"}
        assert not ({"Hostname", "hostname"} - {label}) & rows[0].labels.keys()


def test_renamed_fields_have_other_names_and_units_for_the_same_values(a_driver: ADriver) -> None:
    driver = a_driver(*MIXED)
    found = reading(driver, pod_on(driver, 0, 0))
    old, new = rendered(found), rendered(found, Spelling(renames=True))
    pairs = {
        ACTIVITY: ("DCGM_FI_PROF_GR_ENGINE_UTIL_RATIO", 1),
        USED: ("DCGM_FI_DEV_FB_USED_BYTES", 2**20),
        "DCGM_FI_DEV_MEM_CLOCK": ("DCGM_FI_DEV_MEMORY_CLOCK_HERTZ", 1e6),
        POWER: ("DCGM_FI_DEV_BOARD_POWER_WATTS", 1),
    }
    for name, (renamed, factor) in pairs.items():
        assert name not in new
        values = [row.value * factor for row in old[name].samples]
        assert [row.value for row in new[renamed].samples] == values, name
    assert {"DCGM_FI_SYSTEM_DRIVER_VERSION"} < new["DCGM_FI_PROF_GR_ENGINE_UTIL_RATIO"].samples[0].labels.keys()


def test_a_list_with_new_names_gets_them_from_an_exporter_that_knows_them(a_driver: ADriver) -> None:
    listed = "DCGM_FI_DEV_FB_USED_BYTES, gauge, used\n"
    (row, *_) = rendered(reading(a_driver(*MIXED)), listed=listed)["DCGM_FI_DEV_FB_USED_BYTES"].samples
    assert row.value == 13 * 2**20


@pytest.mark.parametrize(
    ("listed", "error"),
    [
        ("DCGM_FI_DEV_FB_USED, gauge, used, in MiB\n", "fields must be 3"),
        ("DCGM_FI_NONSENSE, gauge, used\n", "unknown field 'DCGM_FI_NONSENSE'"),
        ("DCGM_FI_DEV_FB_USED, meter, used\n", "'meter'"),
        ("DCGM_FI_DEV_FB_USED_BYTES, gauge, used\n", "unknown field 'DCGM_FI_DEV_FB_USED_BYTES'"),
    ],
    ids=["a comma in the help text", "an unknown field", "an unknown type", "a new name in an old exporter"],
)
def test_a_list_that_the_exporter_cannot_use_ends_it(listed: str, error: str) -> None:
    with pytest.raises(CountersError, match=error):
        counters.parse(listed, counters.known_names(renamed=False))


def test_the_default_list_has_known_fields_only() -> None:
    assert len(counters.parse(counters.DEFAULT, counters.known_names(renamed=False))) > 10


TARGET = {"node": "node-1", "job": "nvidia-dcgm-exporter", "pod": "nvidia-dcgm-exporter-x", "namespace": "gpu-operator"}


def test_without_honor_labels_the_pod_of_a_slice_is_exported_pod_and_an_unallocated_slice_has_none(
    a_driver: ADriver,
) -> None:
    driver = a_driver(*MIXED)
    families = rendered(reading(driver, pod_on(driver, 0, 0))).values()
    of_slices, lying = (
        by_slice(next(each for each in scraped(families, TARGET, honor) if each.name == ACTIVITY))
        for honor in (False, True)
    )
    taken, free = (f"0/{driver.gpus[0].instances[index].id}" for index in (0, 1))
    assert of_slices[taken].labels["exported_pod"] == "training"
    assert of_slices[taken].labels["exported_namespace"] == "ml"
    assert "exported_pod" not in of_slices[free].labels
    assert lying[free].labels["pod"] == TARGET["pod"], "with honor_labels it looks as if the exporter had the slice"


@given(pod=st.text(max_size=20), now=st.floats(0, 4e9))
def test_the_load_of_a_pod_is_a_function_of_its_name_and_the_time_and_stays_within_bounds(pod: str, now: float) -> None:
    found = load(pod, {}, now)
    assert found == load(pod, {}, now)
    for ratio in (found.engine, found.sm, found.tensor, found.dram, found.memory):
        assert 0 <= ratio <= 1


@given(level=st.floats(0, 1), now=st.floats(0, 4e9))
def test_an_annotation_sets_the_level_of_a_pods_activity(level: float, now: float) -> None:
    engine = load("ml/training", {ACTIVITY_ANNOTATION: str(level)}, now).engine
    assert abs(engine - level) <= 0.6 * min(level, 1 - level) + 1e-9
    if level in (0, 1):
        assert engine == level


def test_activity_changes_with_time() -> None:
    assert len({round(load("ml/training", {}, NOW + 60 * minute).engine, 3) for minute in range(40)}) > 20


def test_label_values_are_escaped_and_empty_families_are_left_out() -> None:
    families = [
        Family("a", "gauge", "help", (Sample({"x": 'a"b\\c\nd', "y": ""}, 0.5),)),
        Family("b", "gauge", "help", ()),
    ]
    assert text(families) == '# HELP a help\n# TYPE a gauge\na{x="a\\"b\\\\c\\nd"} 0.5\n'

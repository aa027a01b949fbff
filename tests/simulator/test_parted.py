"""mig-parted's semantics, its silent failures included: what a wrong ConfigMap does on hardware it does here."""

import pytest

from mig_fleet.model.parted import Entry, read
from mig_fleet.simulator.driver import Client, Driver
from mig_fleet.simulator.errors import PartedError
from mig_fleet.simulator.node import parted

H100_FILTER = "0x233010DE"


def config(*entries: dict) -> tuple[Entry, ...]:  # type: ignore[type-arg]
    """A config out of a file, as the manager would select it."""
    return read({"version": "v1", "mig-configs": {"wanted": list(entries)}}).select("wanted")


def enabled(devices: object = "all", **profiles: int) -> dict:  # type: ignore[type-arg]
    spelled = {name.removeprefix("p").replace("_", "."): count for name, count in profiles.items()}
    return {"devices": devices, "mig-enabled": True, "mig-devices": spelled}


def applied(driver: Driver, wanted: tuple[Entry, ...]) -> list[dict[str, int] | None]:
    """What every GPU has after mode and config were applied."""
    parted.apply_mode(driver, wanted)
    parted.apply(driver, wanted)
    return [dict(gpu.counts()) if gpu.mode else None for gpu in driver.gpus]


def test_a_layout_is_created_on_every_gpu_and_then_found_applied(a_driver):
    driver, wanted = a_driver(gpus=2, mig=False), config(enabled(p3g_40gb=1, p2g_20gb=1, p1g_10gb=2))
    assert not parted.is_applied(driver, wanted)
    cut = {"3g.40gb": 1, "2g.20gb": 1, "1g.10gb": 2}
    assert applied(driver, wanted) == [cut, cut]
    assert parted.is_applied(driver, wanted)


def test_each_gpu_follows_the_entry_that_names_it(a_driver):
    driver = a_driver(gpus=4, gpu="A100-80GB", mig=False)
    wanted = config(enabled([0, 1], p3g_40gb=2), enabled([2], p1g_10gb=7), {"devices": [3], "mig-enabled": False})
    assert applied(driver, wanted) == [{"3g.40gb": 2}, {"3g.40gb": 2}, {"1g.10gb": 7}, None]
    assert parted.is_applied(driver, wanted)


def test_for_a_gpu_matched_twice_the_last_entry_wins(a_driver):
    driver = a_driver(gpus=2, mig=False)
    assert applied(driver, config(enabled(p1g_10gb=7), enabled([1], p7g_80gb=1))) == [{"1g.10gb": 7}, {"7g.80gb": 1}]


def test_what_is_there_already_is_left_alone(a_driver):
    driver = a_driver("1g.10gb", "1g.10gb")
    before = list(driver.gpus[0].instances)
    applied(driver, config(enabled(p1g_10gb=2)))
    assert driver.gpus[0].instances == before


def test_switching_mig_off_takes_the_instances_along(a_driver):
    driver = a_driver(*["1g.10gb"] * 7)
    assert applied(driver, config({"devices": "all", "mig-enabled": False})) == [None]


def test_an_impossible_layout_fails_after_every_order_and_leaves_the_gpu_cleared(a_driver):
    driver = a_driver("1g.10gb")
    with pytest.raises(PartedError, match="all orderings failed"):
        applied(driver, config(enabled(p3g_40gb=2, p1g_10gb=1)))
    assert driver.gpus[0].mode and not driver.gpus[0].instances


def test_the_gpus_behind_the_failing_one_stay_as_they_were(a_driver):
    driver = a_driver("1g.10gb", gpus=2)
    with pytest.raises(PartedError):
        applied(driver, config(enabled([0], p4g_40gb=2), enabled([1], p7g_80gb=1)))
    assert dict(driver.gpus[1].counts()) == {"1g.10gb": 1}


def test_a_filter_that_matches_nothing_is_a_silent_success(a_driver):
    """S1: "0x2330" is what people write; it loads, and no GPU is ever called that."""
    driver = a_driver("1g.10gb")
    wrong = {"device-filter": "0x2330", **enabled(p7g_80gb=1)}
    assert applied(driver, config(wrong)) == [{"1g.10gb": 1}]
    assert not parted.is_applied(driver, config(wrong))
    assert applied(driver, config({**wrong, "device-filter": H100_FILTER})) == [{"7g.80gb": 1}]


@pytest.mark.parametrize("others", [{}, {"p1g_10gb": 3}], ids=["alone", "next to a valid one"])
def test_a_profile_that_no_gpu_of_the_node_has_wipes_them_and_says_success(a_driver, others):
    """S2, the worst: everything is destroyed, nothing is created, nobody complains."""
    driver = a_driver(*["2g.20gb"] * 3, gpus=2)
    assert applied(driver, config(enabled(p1g_5gb=7, **others))) == [{}, {}]


def test_a_profile_that_only_another_gpu_of_the_node_has_fails_loudly(a_driver):
    driver = a_driver("1g.10gb")
    driver.gpus += a_driver(gpu="A30-24GB").gpus
    driver.gpus[1].index = 1
    with pytest.raises(PartedError, match="all orderings failed"):
        applied(driver, config(enabled([0], p1g_6gb=1), enabled([1], p1g_6gb=4)))
    assert not driver.gpus[0].instances


def test_a_zero_count_applies_and_is_never_found_applied(a_driver):
    """S3: a needless reconfiguration on every pass."""
    driver, wanted = a_driver(mig=False), config(enabled(p1g_10gb=7, p2g_20gb=0))
    assert applied(driver, wanted) == [{"1g.10gb": 7}]
    assert not parted.is_applied(driver, wanted)


def test_a_gpu_that_no_entry_covers_is_never_found_applied(a_driver):
    """S4."""
    driver, wanted = a_driver(gpus=2, mig=False), config(enabled([1], p1g_10gb=7))
    assert applied(driver, wanted) == [None, {"1g.10gb": 7}]
    assert not parted.is_applied(driver, wanted)


def test_a_gpu_without_mig_is_passed_over_and_never_found_applied(a_driver, monkeypatch):
    """S5: a display card beside the accelerator."""
    driver, wanted = a_driver(gpus=2, mig=False), config(enabled(p1g_10gb=7))
    monkeypatch.setattr(type(driver.gpus[0]), "mig_capable", property(lambda gpu: gpu.index == 0))
    assert applied(driver, wanted) == [{"1g.10gb": 7}, None]
    assert not parted.is_applied(driver, wanted)


def test_a_pod_on_a_slice_keeps_the_node_from_being_cut_anew(a_driver):
    driver = a_driver("1g.10gb")
    driver.gpus[0].clients.append(Client("team-a/training", driver.gpus[0].instances[0].id))
    with pytest.raises(PartedError, match="In use by another client"):
        applied(driver, config(enabled(p7g_80gb=1)))
    assert dict(driver.gpus[0].counts()) == {"1g.10gb": 1}


def test_compute_splits_share_gpu_instances(a_driver):
    driver = a_driver(mig=False)
    parsed = config({"devices": "all", "mig-enabled": True, "mig-devices": {"1c.3g.40gb": 6}})
    assert applied(driver, parsed) == [{"1c.3g.40gb": 6}]
    assert [instance.profile for instance in driver.gpus[0].instances] == ["3g.40gb", "3g.40gb"]


def test_clearing_a_node_whose_slice_is_held_says_who_holds_it(a_driver):
    driver = a_driver("1g.10gb")
    driver.gpus[0].clients.append(Client("team-a/training", driver.gpus[0].instances[0].id))
    with pytest.raises(PartedError, match="held by team-a/training"):
        parted.clear(driver)

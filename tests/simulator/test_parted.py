"""The semantics of mig-parted with its silent failures: a wrong ConfigMap has the same effect as on hardware."""

import pytest

from mig_fleet.model.parted import Entry, read
from mig_fleet.simulator.driver import Client, Driver
from mig_fleet.simulator.errors import PartedError
from mig_fleet.simulator.operands import parted
from tests.conftest import ADriver

H100_FILTER = "0x233010DE"


def config(*entries: dict[str, object]) -> tuple[Entry, ...]:
    """A config from a file, as MIG Manager selects it."""
    return read({"version": "v1", "mig-configs": {"selected": list(entries)}}).select("selected")


def enabled(devices: object = "all", **profiles: int) -> dict[str, object]:
    """An entry with MIG enabled; ``p1g_10gb=7`` stands for seven slices ``1g.10gb``."""
    counts = {name.removeprefix("p").replace("_", "."): count for name, count in profiles.items()}
    return {"devices": devices, "mig-enabled": True, "mig-devices": counts}


def applied(driver: Driver, desired: tuple[Entry, ...]) -> list[dict[str, int] | None]:
    """The slices of every GPU after mode and config are applied; ``None`` with MIG off."""
    parted.apply_mode(driver, desired)
    parted.apply(driver, desired)
    return [dict(gpu.counts()) if gpu.mode else None for gpu in driver.gpus]


def test_a_layout_is_created_on_every_gpu_and_then_counts_as_applied(a_driver: ADriver) -> None:
    driver, desired = a_driver(gpus=2, mig=False), config(enabled(p3g_40gb=1, p2g_20gb=1, p1g_10gb=2))
    assert not parted.is_applied(driver, desired)
    slices = {"3g.40gb": 1, "2g.20gb": 1, "1g.10gb": 2}
    assert applied(driver, desired) == [slices, slices]
    assert parted.is_applied(driver, desired)


def test_each_gpu_follows_the_entry_that_names_it(a_driver: ADriver) -> None:
    driver = a_driver(gpus=4, gpu="A100-80GB", mig=False)
    desired = config(enabled([0, 1], p3g_40gb=2), enabled([2], p1g_10gb=7), {"devices": [3], "mig-enabled": False})
    assert applied(driver, desired) == [{"3g.40gb": 2}, {"3g.40gb": 2}, {"1g.10gb": 7}, None]
    assert parted.is_applied(driver, desired)


def test_a_gpu_matched_twice_gets_the_slices_of_both_entries_one_after_the_other(a_driver: ADriver) -> None:
    driver, desired = a_driver(gpus=2, mig=False), config(enabled(p1g_10gb=7), enabled([1], p7g_80gb=1))
    assert applied(driver, desired) == [{"1g.10gb": 7}, {"7g.80gb": 1}]
    assert parted.is_applied(driver, desired), "assert compares with the last entry"
    driver.gpus[1].clients.append(Client("team-a/training", driver.gpus[1].instances[0].id))
    driver.gpus[0].destroy(driver.gpus[0].instances[0].id)
    with pytest.raises(PartedError, match="In use by another client"):
        applied(driver, desired)


def test_an_impossible_entry_fails_although_a_later_one_replaces_it(a_driver: ADriver) -> None:
    driver = a_driver(mig=False)
    with pytest.raises(PartedError, match="all orderings failed"):
        applied(driver, config(enabled(p3g_40gb=3), enabled(p1g_10gb=7)))


@pytest.mark.parametrize("last", [True, False])
def test_on_and_off_for_one_gpu_always_fails_and_never_counts_as_applied(a_driver: ADriver, last: bool) -> None:
    """Measured with mig-parted v0.15.0: the modes of all entries come first, then the devices of all entries."""
    off: dict[str, object] = {"devices": [0], "mig-enabled": False}
    entries = (off, enabled(p1g_10gb=7)) if last else (enabled(p1g_10gb=7), off)
    driver = a_driver(gpus=2, mig=False)
    for _ in range(2):
        with pytest.raises(PartedError, match=f"unable to apply MIG config with MIG mode {'on' if last else 'off'}"):
            applied(driver, config(*entries))
        assert not parted.is_applied(driver, config(*entries))
        assert not parted.mode_is_applied(driver, config(*entries))


def test_a_mode_that_stays_pending_is_reported_after_all_gpus_are_walked(a_driver: ADriver) -> None:
    """mig-parted v0.13.1, cmd/nvidia-mig-parted/apply/mode.go: the reset of all GPUs comes last, and fails."""
    driver = a_driver(gpu="A100-80GB", gpus=2, mig=False)
    driver.gpus[0].clients.append(Client("default/notebook", None))
    with pytest.raises(PartedError, match=r"error resetting all GPUs: .*In use by another client"):
        applied(driver, config(enabled(p1g_10gb=7)))
    assert [(gpu.mode, gpu.pending) for gpu in driver.gpus] == [(False, True), (True, True)]


def test_a_later_entry_that_returns_to_the_current_mode_leaves_nothing_pending(a_driver: ADriver) -> None:
    """mig-parted v0.13.1 then goes on to the devices, and fails at the entry that disagrees."""
    driver = a_driver(gpu="A100-80GB")
    driver.gpus[0].clients.append(Client("default/notebook", None))
    entries = enabled(p1g_10gb=1), {"devices": "all", "mig-enabled": False}, enabled(p1g_10gb=1)
    with pytest.raises(PartedError, match="unable to apply MIG config with MIG mode on"):
        applied(driver, config(*entries))
    assert dict(driver.gpus[0].counts()) == {"1g.10gb": 1}


def test_an_entry_that_enables_mig_is_not_applied_where_it_is_off_even_if_a_later_one_agrees(a_driver: ADriver) -> None:
    """mig-parted v0.13.1, cmd/nvidia-mig-parted/assert/config.go: the first such entry ends the assertion."""
    driver = a_driver(mig=False)
    with pytest.raises(PartedError, match="unable to apply MIG config with MIG mode off"):
        applied(driver, config(enabled(p1g_10gb=1), {"devices": [0], "mig-enabled": False}))


def test_a_part_is_created_in_the_instance_that_was_created_last_or_in_a_new_one(a_driver: ADriver) -> None:
    """mig-parted v0.13.1, pkg/mig/config/config.go: it does not return to an earlier instance with room, and so the
    first order that works is another one.
    """
    driver = a_driver(mig=False)
    assert applied(driver, config(enabled(**{"2c.3g.40gb": 2, "1c.3g.40gb": 2}))) == [
        {"2c.3g.40gb": 2, "1c.3g.40gb": 2}
    ]
    parts = [[each.slices for each in instance.compute] for instance in driver.gpus[0].instances]
    assert parts == [[2, 1], [2, 1]]


def test_a_part_that_go_nvlib_does_not_list_destroys_all_slices_and_reports_success(a_driver: ADriver) -> None:
    """go-nvlib v0.8.1, pkg/nvlib/device/device.go: 3c of a 4g is left out, so it is S2."""
    driver = a_driver("2g.20gb")
    assert applied(driver, config(enabled(**{"3c.4g.40gb": 1}))) == [{}]


def test_orders_are_tried_as_mig_parted_swaps_them() -> None:
    """pkg/mig/config/config.go, `iteratePermutationsUntilSuccess`: not in lexicographic order."""
    assert list(parted._orders("abc")) == [tuple(each) for each in ("abc", "acb", "bac", "bca", "cba", "cab")]


def test_where_no_entry_matches_a_gpu_the_modes_count_as_applied(a_driver: ADriver) -> None:
    driver, nothing = a_driver("1g.10gb"), config({"device-filter": "0x2330", **enabled(p7g_80gb=1)})
    assert parted.mode_is_applied(driver, nothing)
    assert not parted.is_applied(driver, nothing)


def test_an_entry_that_enables_mig_by_index_fails_on_a_gpu_without_mig(
    a_driver: ADriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = a_driver(gpus=2, mig=False)
    monkeypatch.setattr(type(driver.gpus[0]), "mig_capable", property(lambda gpu: gpu.index == 0))
    with pytest.raises(PartedError, match="cannot set MIG mode on non MIG-capable GPU"):
        applied(driver, config(enabled([0, 1], p1g_10gb=7)))


def test_a_config_that_is_applied_already_changes_nothing(a_driver: ADriver) -> None:
    driver = a_driver("1g.10gb", "1g.10gb")
    before = list(driver.gpus[0].instances)
    applied(driver, config(enabled(p1g_10gb=2)))
    assert driver.gpus[0].instances == before


def test_switching_mig_off_destroys_the_instances(a_driver: ADriver) -> None:
    driver = a_driver(*["1g.10gb"] * 7)
    assert applied(driver, config({"devices": "all", "mig-enabled": False})) == [None]


def test_an_impossible_layout_fails_after_every_order_and_leaves_no_instances(a_driver: ADriver) -> None:
    driver = a_driver("1g.10gb")
    with pytest.raises(PartedError, match="all orderings failed"):
        applied(driver, config(enabled(p3g_40gb=2, p1g_10gb=1)))
    assert driver.gpus[0].mode and not driver.gpus[0].instances


def test_the_gpus_after_the_failed_one_do_not_change(a_driver: ADriver) -> None:
    driver = a_driver("1g.10gb", gpus=2)
    with pytest.raises(PartedError):
        applied(driver, config(enabled([0], p4g_40gb=2), enabled([1], p7g_80gb=1)))
    assert dict(driver.gpus[1].counts()) == {"1g.10gb": 1}


def test_a_filter_that_matches_nothing_is_a_silent_success(a_driver: ADriver) -> None:
    """S1: users write "0x2330"; the file loads, but no GPU has this id."""
    driver = a_driver("1g.10gb")
    wrong = {"device-filter": "0x2330", **enabled(p7g_80gb=1)}
    assert applied(driver, config(wrong)) == [{"1g.10gb": 1}]
    assert not parted.is_applied(driver, config(wrong))
    assert applied(driver, config({**wrong, "device-filter": H100_FILTER})) == [{"7g.80gb": 1}]


@pytest.mark.parametrize("others", [{}, {"p1g_10gb": 3}], ids=["alone", "next to a valid one"])
def test_a_profile_that_no_gpu_of_the_node_has_destroys_all_slices_and_reports_success(
    a_driver: ADriver, others: dict[str, int]
) -> None:
    """S2, the worst: all instances are destroyed, none is created, and no error is reported."""
    driver = a_driver(*["2g.20gb"] * 3, gpus=2)
    assert applied(driver, config(enabled(p1g_5gb=7, **others))) == [{}, {}]


def test_a_profile_that_only_another_gpu_of_the_node_has_is_an_error(a_driver: ADriver) -> None:
    driver = a_driver("1g.10gb")
    driver.gpus += a_driver(gpu="A30-24GB").gpus
    driver.gpus[1].index = 1
    with pytest.raises(PartedError, match="all orderings failed"):
        applied(driver, config(enabled([0], p1g_6gb=1), enabled([1], p1g_6gb=4)))
    assert not driver.gpus[0].instances


def test_a_zero_count_applies_and_never_counts_as_applied(a_driver: ADriver) -> None:
    """S3: every reconciliation reconfigures the node again."""
    driver, desired = a_driver(mig=False), config(enabled(p1g_10gb=7, p2g_20gb=0))
    assert applied(driver, desired) == [{"1g.10gb": 7}]
    assert not parted.is_applied(driver, desired)


def test_a_gpu_that_no_entry_matches_never_counts_as_applied(a_driver: ADriver) -> None:
    """S4."""
    driver, desired = a_driver(gpus=2, mig=False), config(enabled([1], p1g_10gb=7))
    assert applied(driver, desired) == [None, {"1g.10gb": 7}]
    assert not parted.is_applied(driver, desired)


def test_a_gpu_without_mig_is_skipped_and_never_counts_as_applied(
    a_driver: ADriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S5: a display card beside the accelerator."""
    driver, desired = a_driver(gpus=2, mig=False), config(enabled(p1g_10gb=7))
    monkeypatch.setattr(type(driver.gpus[0]), "mig_capable", property(lambda gpu: gpu.index == 0))
    assert applied(driver, desired) == [{"1g.10gb": 7}, None]
    assert not parted.is_applied(driver, desired)


def test_a_pod_with_a_slice_blocks_the_reconfiguration(a_driver: ADriver) -> None:
    driver = a_driver("1g.10gb")
    driver.gpus[0].clients.append(Client("team-a/training", driver.gpus[0].instances[0].id))
    with pytest.raises(PartedError, match="In use by another client"):
        applied(driver, config(enabled(p7g_80gb=1)))
    assert dict(driver.gpus[0].counts()) == {"1g.10gb": 1}


def test_a_change_of_one_gpus_mode_clears_every_matched_gpu_that_has_mig_on(a_driver: ADriver) -> None:
    """Measured with mig-parted v0.13.1 and v0.15.0: GPU 0 is right, GPU 1 must be switched on."""
    driver = a_driver("3g.40gb", "2g.20gb", "1g.10gb", gpus=2)
    driver.gpus[1].instances.clear()
    driver.gpus[1].mode = driver.gpus[1].pending = False
    before = list(driver.gpus[0].instances)
    slices = {"3g.40gb": 1, "2g.20gb": 1, "1g.10gb": 1}
    parted.apply_mode(driver, config(enabled(p3g_40gb=1, p2g_20gb=1, p1g_10gb=1)))
    assert driver.gpus[0].instances == [], f"mig-parted cleared {before}"
    assert applied(driver, config(enabled(p3g_40gb=1, p2g_20gb=1, p1g_10gb=1))) == [slices, slices]


def test_a_slice_in_use_on_a_gpu_that_is_right_already_stops_the_mode_change_of_another_one(a_driver: ADriver) -> None:
    """The free slices of GPU 0 are lost, the one in use stays, and GPU 1 is not switched."""
    driver = a_driver("3g.40gb", "2g.20gb", "1g.10gb", gpus=2)
    driver.gpus[1].instances.clear()
    driver.gpus[1].mode = driver.gpus[1].pending = False
    driver.gpus[0].clients.append(Client("team-a/training", driver.gpus[0].instances[0].id))
    desired = config(enabled(p3g_40gb=1, p2g_20gb=1, p1g_10gb=1))
    with pytest.raises(PartedError, match=r"error clearing MIG config: .*In use by another client"):
        parted.apply_mode(driver, desired)
    assert dict(driver.gpus[0].counts()) == {"3g.40gb": 1}
    assert not driver.gpus[1].mode
    assert not parted.is_applied(driver, desired)


def test_a_mode_change_does_not_clear_a_gpu_that_no_entry_matches(a_driver: ADriver) -> None:
    driver = a_driver("1g.10gb", gpus=2)
    parted.apply_mode(driver, config({"devices": [1], "mig-enabled": False}))
    assert [dict(gpu.counts()) for gpu in driver.gpus] == [{"1g.10gb": 1}, {}]


def test_gpus_with_the_right_counts_keep_their_instances_when_another_one_changes(a_driver: ADriver) -> None:
    driver = a_driver("3g.40gb", gpus=2)
    driver.gpus[0].clients.append(Client("team-a/training", driver.gpus[0].instances[0].id))
    kept = list(driver.gpus[0].instances)
    assert applied(driver, config(enabled([0], p3g_40gb=1), enabled([1], p1g_10gb=7))) == [
        {"3g.40gb": 1},
        {"1g.10gb": 7},
    ]
    assert driver.gpus[0].instances == kept


def test_compute_instances_share_gpu_instances(a_driver: ADriver) -> None:
    driver = a_driver(mig=False)
    parsed = config({"devices": "all", "mig-enabled": True, "mig-devices": {"1c.3g.40gb": 6}})
    assert applied(driver, parsed) == [{"1c.3g.40gb": 6}]
    assert [instance.profile for instance in driver.gpus[0].instances] == ["3g.40gb", "3g.40gb"]


def test_clearing_a_node_with_a_client_names_the_client(a_driver: ADriver) -> None:
    driver = a_driver("1g.10gb")
    driver.gpus[0].clients.append(Client("team-a/training", driver.gpus[0].instances[0].id))
    with pytest.raises(PartedError, match="client team-a/training"):
        parted.clear(driver)

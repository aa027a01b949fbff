"""Creating and destroying instances as a driver does."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mig_fleet.model.placement import Verdict, prove
from mig_fleet.simulator.driver import Client, Driver, DriverFile
from mig_fleet.simulator.driver.control import INVALID_ARGUMENT, perform
from mig_fleet.simulator.driver.gpu import Gpu, new_gpu
from mig_fleet.simulator.errors import DriverError, InsufficientResources, InUse, NotFound, NotSupported
from tests.conftest import ADriver

H100_PROFILES = ("1g.10gb", "1g.10gb+me", "1g.20gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb")


def starts(driver: Driver) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for instance in driver.gpus[0].instances:
        found.setdefault(instance.profile, []).append(instance.start)
    return {profile: sorted(places) for profile, places in found.items()}


def test_a_new_gpu_has_mig_off_and_creates_no_instance(a_driver: ADriver) -> None:
    gpu = a_driver(mig=False).gpus[0]
    with pytest.raises(NotSupported, match="MIG mode off"):
        gpu.create("1g.10gb")
    assert not gpu.instances


def test_seven_of_the_smallest_slice_fill_a_gpu_and_the_eighth_is_refused(a_driver: ADriver) -> None:
    driver = a_driver(*["1g.10gb"] * 7)
    assert starts(driver) == {"1g.10gb": [0, 1, 2, 3, 4, 5, 6]}
    with pytest.raises(InsufficientResources):
        driver.gpus[0].create("1g.10gb")


def test_a_3g_then_a_4g_fit_because_the_3g_is_not_at_the_lowest_start(a_driver: ADriver) -> None:
    driver = a_driver("3g.40gb", "4g.40gb", gpu="A100-80GB")
    assert starts(driver) == {"3g.40gb": [4], "4g.40gb": [0]}, "as in published output of driver 550.54.14"


def test_the_order_of_creation_matters_as_in_the_user_guide(a_driver: ADriver) -> None:
    assert a_driver("3g.40gb", "1g.10gb", "2g.20gb", "1g.10gb").gpus[0].counts().total() == 4
    with pytest.raises(InsufficientResources, match=r"3g\.40gb"):
        a_driver("1g.10gb", "1g.10gb", "2g.20gb", "3g.40gb")


def test_a_second_media_extension_slice_is_refused_because_there_is_one_engine(a_driver: ADriver) -> None:
    with pytest.raises(InsufficientResources):
        a_driver("1g.10gb+me", "1g.10gb+me")


def test_a_profile_of_another_gpu_is_not_supported(a_driver: ADriver) -> None:
    with pytest.raises(NotSupported, match=r"1g\.5gb"):
        a_driver("1g.5gb")


def test_instance_ids_are_those_of_published_logs(a_driver: ADriver) -> None:
    assert [each.id for each in a_driver("7g.80gb").gpus[0].instances] == [0]
    assert [each.id for each in a_driver("3g.40gb", "3g.40gb").gpus[0].instances] == [1, 2]
    assert [each.id for each in a_driver("2g.20gb", "2g.20gb", "2g.20gb").gpus[0].instances] == [3, 4, 5]
    assert [each.id for each in a_driver(*["1g.10gb"] * 7).gpus[0].instances] == [7, 8, 9, 10, 11, 12, 13]


def test_a_double_memory_slice_gets_the_first_of_the_compute_instances_that_fill_it(a_driver: ADriver) -> None:
    (instance,) = a_driver("1g.20gb").gpus[0].instances
    assert [compute.profile_id for compute in instance.compute] == [0]


def test_compute_instances_share_one_gpu_instance_until_all_its_slices_are_used(a_driver: ADriver) -> None:
    gpu = a_driver().gpus[0]
    instance = gpu.create("3g.40gb", 1)
    gpu.split(instance.id, 2)
    assert gpu.counts() == {"1c.3g.40gb": 1, "2c.3g.40gb": 1}
    with pytest.raises(InsufficientResources):
        gpu.split(instance.id, 1)


def test_an_instance_with_a_client_is_not_destroyed_and_others_are(a_driver: ADriver) -> None:
    gpu = a_driver("1g.10gb", "1g.10gb").gpus[0]
    used, free = gpu.instances
    gpu.clients.append(Client("team-a/training", used.id))
    gpu.destroy(free.id)
    with pytest.raises(InUse, match="team-a/training"):
        gpu.destroy(used.id)
    assert gpu.instances == [used]


def test_with_a_client_a_new_mode_is_pending_on_ampere_and_refused_on_hopper(a_driver: ADriver) -> None:
    ampere, hopper = (a_driver(gpu=model, mig=False).gpus[0] for model in ("A100-80GB", "H100-80GB"))
    for gpu in (ampere, hopper):
        gpu.clients.append(Client("default/notebook", None))
        with pytest.raises(InUse):
            gpu.set_mode(True)
    assert (ampere.mode, ampere.pending) == (False, True)
    assert (hopper.mode, hopper.pending) == (False, False)


def test_destroying_a_missing_instance_is_refused(a_driver: ADriver) -> None:
    gpu = a_driver("1g.10gb").gpus[0]
    with pytest.raises(NotFound):
        gpu.destroy(99)
    with pytest.raises(NotFound, match="memory slice 0"):
        gpu.instance_at(0)


def test_the_state_file_has_the_complete_state_of_a_driver(a_driver: ADriver) -> None:
    driver = a_driver("3g.40gb", "2g.20gb", "1g.10gb", gpus=2)
    driver.gpus[1].create("1g.10gb+me")
    driver.gpus[0].clients.append(Client("team-a/training", driver.gpus[0].instances[0].id))
    driver.gpus[1].clients.append(Client("team-b/whole", None))
    driver.errors["nvmlDeviceGetCount_v2"] = 999
    assert Driver.parse(driver.dump()) == driver


def test_a_slice_keeps_its_uuid_and_one_that_is_created_again_has_another(tmp_path: Path) -> None:
    gpu = new_gpu("gpu-node-1", 0, "H100-80GB")
    gpu.set_mode(True)

    def uuids(of: Gpu) -> list[str]:
        return [of.mig_uuid(instance, compute) for instance in of.instances for compute in instance.compute]

    kept, lost = gpu.create("3g.40gb"), gpu.create("1g.10gb")
    before = uuids(gpu)
    file = DriverFile(tmp_path / "driver")
    file.write(Driver("580.126.09", 13000, [gpu]))
    (gpu,) = file.read().gpus
    assert uuids(gpu) == before
    gpu.destroy(lost.id)
    again = gpu.create("1g.10gb")
    assert (again.id, again.start) == (lost.id, lost.start), "the same place"
    assert uuids(gpu)[0] == before[0] and uuids(gpu)[1] not in before
    gpu.power_cycle()
    gpu.set_mode(True)
    assert gpu.create("3g.40gb").start == kept.start
    assert uuids(gpu)[0] not in before


def test_gpu_uuids_depend_on_the_nodes_name_and_the_index() -> None:
    assert new_gpu("gpu-node-1", 3, "H100-80GB").uuid == new_gpu("gpu-node-1", 3, "H100-80GB").uuid
    assert new_gpu("gpu-node-1", 3, "H100-80GB").uuid != new_gpu("gpu-node-2", 3, "H100-80GB").uuid


@given(st.lists(st.sampled_from(H100_PROFILES), max_size=8))
def test_the_driver_never_accepts_what_the_model_calls_impossible(profiles: list[str]) -> None:
    gpu = new_gpu("a-node", 0, "H100-80GB")
    gpu.set_mode(True)
    created: list[str] = []
    for profile in profiles:
        try:
            gpu.create(profile)
        except DriverError:
            continue
        created.append(profile)
    assert prove("H100-80GB", created).verdict is Verdict.FEASIBLE, created


@given(st.lists(st.sampled_from(H100_PROFILES), min_size=1, max_size=8), st.data())
def test_creating_and_destroying_a_slice_leaves_the_gpu_as_it_was(profiles: list[str], data: st.DataObject) -> None:
    gpu = new_gpu("a-node", 0, "H100-80GB")
    gpu.set_mode(True)
    for profile in profiles:
        before = list(gpu.instances)
        try:
            created = gpu.create(profile)
        except DriverError:
            assert gpu.instances == before, "a refused operation changes nothing"
            continue
        if data.draw(st.booleans()):
            gpu.destroy(created.id)
            assert gpu.instances == before


def test_a_part_that_the_profile_does_not_offer_creates_nothing(a_driver: ADriver) -> None:
    gpu = a_driver().gpus[0]
    with pytest.raises(NotSupported, match="5 of the compute slices"):
        gpu.create("3g.40gb", 5)
    assert not gpu.instances


def test_a_compute_instance_takes_the_place_and_the_id_of_one_that_was_destroyed(a_driver: ADriver) -> None:
    gpu = a_driver().gpus[0]
    instance = gpu.create("3g.40gb", 1)
    for _ in range(2):
        gpu.split(instance.id, 1)
    gpu.destroy_compute_instance(instance.id, 1)
    with pytest.raises(InsufficientResources):
        gpu.split(instance.id, 2)
    assert [(each.id, each.start) for each in gpu.split(instance.id, 1).compute] == [(0, 0), (2, 2), (1, 1)]


@pytest.mark.parametrize("request_line", ["", "reset 0 0 0 0", "set-mode 0 1", "set-mode 9 1 0 0", "set-mode 0 x 0 0"])
def test_a_request_that_the_driver_cannot_read_is_an_invalid_argument(a_driver: ADriver, request_line: str) -> None:
    driver = a_driver(mig=False)
    assert perform(driver, request_line) == (INVALID_ARGUMENT, 0)
    assert not driver.gpus[0].mode

"""NVIDIA's mig-parted names a slice of every profile of every model as the catalog does."""

import time

import pytest
import yaml

from mig_fleet.model import gpus
from mig_fleet.simulator.driver import Driver
from mig_fleet.simulator.driver.gpu import new_gpu
from mig_fleet.simulator.genuine import Machine
from tests.conformance.records import NAMES, count_case
from tests.conformance.situations import MODELS

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(300)]


@pytest.mark.parametrize("model", MODELS)
def test_mig_parted_exports_the_names_of_the_catalog(model: str, a_machine: Machine, mig_parted: str) -> None:
    """One GPU for each profile."""
    names = list(gpus.find(model).profiles)
    driver = Driver("580.126.09", 13000, [new_gpu("a-node", index, model) for index in range(len(names))])
    for gpu, name in zip(driver.gpus, names, strict=True):
        gpu.set_mode(True)
        gpu.create(name)
    a_machine.set(driver)
    start = time.monotonic()
    done = a_machine.run([mig_parted, "export"])
    assert done.code == 0, done.stderr
    exported: dict[int, str] = {}
    for entry in yaml.safe_load(done.stdout)["mig-configs"]["current"]:
        devices = range(len(names)) if entry["devices"] == "all" else entry["devices"]
        for index in devices:
            (exported[index],) = entry["mig-devices"]
    found = [exported[index] for index in range(len(names))]
    seconds = (time.monotonic() - start) / len(names)
    for one, other in zip(found, names, strict=True):
        count_case(NAMES, agrees=one == other, seconds=seconds)
    assert found == names

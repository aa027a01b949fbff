"""The names that NVIDIA's tools derive from what the library reports of memory."""

import math

import pytest

from mig_fleet.model import gpus
from mig_fleet.model.gpus import GpuModel
from mig_fleet.simulator.driver.instances import nvml_profile_id, profile_memory_mib
from mig_fleet.simulator.driver.text import memory_mib

MODELS = [model for model in gpus.all_models() if memory_mib(model)]


def named_gb(total_mib: int, profile_mib: int) -> int:
    """The GB of a name (go-nvlib v0.8.1, pkg/nvlib/device/mig_profile.go, `getMigMemorySizeGB`)."""
    eighths = math.ceil(profile_mib / total_mib * 8)
    return math.floor(eighths / 8 * math.ceil(total_mib / 1024) + 0.5)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_every_profile_gets_the_name_of_the_catalog(model: GpuModel) -> None:
    """Also those whose memory no source gives: 0 would be `1g.0gb`."""
    total = memory_mib(model)
    named = {row.name: named_gb(total, profile_memory_mib(model, row, total)) for row in model.profiles.values()}
    assert named == {row.name: row.profile.memory_gb for row in model.profiles.values()}


@pytest.mark.parametrize("model", gpus.all_models(), ids=lambda model: model.name)
def test_every_profile_of_a_model_has_an_id_of_its_own(model: GpuModel) -> None:
    """Also those whose id no source gives: instances are found by it."""
    ids = [nvml_profile_id(row) for row in model.profiles.values()]
    assert len(ids) == len(set(ids))

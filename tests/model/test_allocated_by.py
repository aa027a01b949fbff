"""What pods ask for under each kind of allocation, and which layouts it can serve."""

import re

import pytest

from mig_fleet.model import gpus
from mig_fleet.model.allocated_by import (
    AllocatedBy,
    allocation_of,
    class_profile,
    class_selector,
    device_class,
    offer_conflicts,
    offered,
)
from mig_fleet.model.profiles import Profile
from mig_fleet.model.strategy import Strategy

DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
PROFILES = sorted({profile for model in gpus.all_models() for profile in model.profiles})
MIXED = ({"1g.10gb": 2, "1g.10gb+me": 1, "3g.40gb": 1}, None)


@pytest.mark.parametrize("profile", PROFILES)
def test_the_class_of_each_profile_is_a_dns_name_that_names_it_again(profile: str) -> None:
    name = device_class(profile)
    assert DNS_SUBDOMAIN.fullmatch(name) and len(name) <= 253
    assert class_profile(name) == Profile.parse(profile).kubernetes


def test_two_profiles_never_share_a_class() -> None:
    assert len({device_class(profile) for profile in PROFILES}) == len(PROFILES)


def test_with_dra_pods_ask_for_a_class_of_each_profile_and_for_nvidias_class_of_whole_gpus() -> None:
    assert offered(AllocatedBy.DRA, Strategy.MIXED, MIXED) == {
        "gpu.nvidia.com": 1,
        "mig-1g.10gb.me.mig-fleet.dev": 1,
        "mig-1g.10gb.mig-fleet.dev": 2,
        "mig-3g.40gb.mig-fleet.dev": 1,
    }
    assert offered(AllocatedBy.DEVICE_PLUGIN, Strategy.SINGLE, [{"1g.10gb": 7}]) == {"nvidia.com/gpu": 7}


def test_the_selector_has_the_profile_as_nvml_writes_it() -> None:
    assert class_selector("1g.10gb+me") == (
        "device.driver == 'gpu.nvidia.com' && device.attributes['gpu.nvidia.com'].type == 'mig' && "
        "device.attributes['gpu.nvidia.com'].profile == '1g.10gb+me'"
    )


def test_a_part_of_a_gpu_instance_is_refused_whatever_the_strategy_is() -> None:
    text = "1c.3g.40gb is part of a GPU instance, and one such device ends the DRA driver's plugin of its node"
    for strategy in Strategy:
        assert offer_conflicts(AllocatedBy.DRA, strategy, [{"1c.3g.40gb": 3}]) == (text,)
        assert offer_conflicts(AllocatedBy.DRA, strategy, MIXED) == ()


def test_a_stacks_capacity_shows_what_allocates_its_slices() -> None:
    for allocation in AllocatedBy:
        assert allocation_of(offered(allocation, Strategy.MIXED, MIXED)) is allocation
        assert allocation_of(offered(allocation, Strategy.MIXED, [None])) is allocation

"""The labels of GPU Feature Discovery and the resources of the device plugin, compared with labels of real nodes."""

import pytest

from mig_fleet.simulator.driver import Driver
from mig_fleet.simulator.operands import device_plugin, feature_discovery
from mig_fleet.simulator.operands.device_plugin import PluginError
from mig_fleet.simulator.operands.operator import missing_labels
from tests.conftest import ADriver

DENSE = ["1g.10gb"] * 7
SLICE = {
    "product": "NVIDIA-H100-80GB-HBM3-MIG-1g.10gb",
    "count": "56",
    "replicas": "1",
    "sharing-strategy": "none",
    "memory": "9984",
    "multiprocessors": "16",
    "slices.gi": "1",
    "slices.ci": "1",
    "engines.copy": "1",
    "engines.decoder": "1",
    "engines.encoder": "0",
    "engines.jpeg": "1",
    "engines.ofa": "0",
}
POLICY = {"spec": {"migManager": {"config": {"default": "all-disabled"}}}}
NFD = {"feature.node.kubernetes.io/pci-10de.present": "true"}


def discovered(driver: Driver, strategy: str) -> dict[str, str]:
    """GFD's labels without their prefix."""
    found = feature_discovery.discovered(driver, "NVIDIA-DGX-H100", strategy)
    assert all(feature_discovery.owns(name) for name in found), "GFD must remove every label that it sets"
    return {name.removeprefix("nvidia.com/"): value for name, value in found.items()}


def test_a_double_memory_slice_has_the_sms_of_the_label_that_a_real_node_shows(a_driver: ADriver) -> None:
    found = discovered(a_driver("1g.24gb", gpu="H100-94GB"), "mixed")
    assert (found["mig-1g.24gb.multiprocessors"], found["mig-1g.24gb.slices.ci"]) == ("16", "1")


def test_eight_h100_in_smallest_slices_under_mixed_have_the_labels_of_a_real_node(a_driver: ADriver) -> None:
    found = discovered(a_driver(*DENSE, gpus=8), "mixed")
    assert {key.removeprefix("mig-1g.10gb."): v for key, v in found.items() if key.startswith("mig-1g")} == SLICE
    expected = {
        "gpu.machine": "NVIDIA-DGX-H100",
        "gpu.product": "NVIDIA-H100-80GB-HBM3",
        "gpu.count": "8",
        "gpu.replicas": "0",
        "gpu.sharing-strategy": "none",
        "gpu.memory": "81559",
        "gpu.family": "hopper",
        "gpu.compute.major": "9",
        "gpu.compute.minor": "0",
        "gpu.mode": "compute",
        "mps.capable": "false",
        "mig.capable": "true",
        "mig.strategy": "mixed",
        "cuda.driver-version.full": "580.126.09",
        "cuda.runtime-version.full": "13.0",
    }
    assert expected.items() <= found.items()


def test_four_a100_with_mig_off_are_labelled_as_whole_gpus(a_driver: ADriver) -> None:
    found = discovered(a_driver(gpu="A100-80GB", gpus=4, mig=False), "single")
    assert not [name for name in found if name.startswith("mig-")]
    expected = {
        "gpu.product": "NVIDIA-A100-SXM4-80GB",
        "gpu.count": "4",
        "gpu.replicas": "1",
        "gpu.memory": "81920",
        "gpu.family": "ampere",
        "gpu.compute.major": "8",
        "gpu.compute.minor": "0",
        "mig.capable": "true",
        "mig.strategy": "single",
    }
    assert expected.items() <= found.items()


def test_under_single_the_labels_describe_the_slice_instead_of_the_gpu(a_driver: ADriver) -> None:
    found = discovered(a_driver(*DENSE, gpus=8), "single")
    assert {f"gpu.{key}": value for key, value in SLICE.items()}.items() <= found.items()
    assert not [name for name in found if name.startswith("mig-")]


@pytest.mark.parametrize("profiles", [[], ["3g.40gb", "1g.10gb"]], ids=["no slices", "two profiles"])
def test_slices_that_single_cannot_serve_are_labelled_invalid_and_end_the_plugin(
    a_driver: ADriver, profiles: list[str]
) -> None:
    driver = a_driver(*profiles, gpus=2)
    found = discovered(driver, "single")
    assert found["gpu.product"] == "NVIDIA-H100-80GB-HBM3-MIG-INVALID"
    assert (found["gpu.count"], found["gpu.replicas"], found["gpu.memory"]) == ("0", "0", "0")
    with pytest.raises(PluginError):
        device_plugin.resources(driver, "single")


@pytest.mark.parametrize("strategy", ["mixed", "none"])
@pytest.mark.parametrize("off", [0, 1])
def test_the_replicas_of_whole_gpus_are_0_only_where_every_gpu_is_in_mig_mode(
    a_driver: ADriver, strategy: str, off: int
) -> None:
    """GFD v0.20.0, on 1,022 generated nodes: whichever GPU has MIG off, and under any strategy."""
    driver = a_driver(*DENSE, gpus=2)
    assert discovered(driver, strategy)["gpu.replicas"] == "0"
    driver.gpus[off].set_mode(False)
    assert discovered(driver, strategy)["gpu.replicas"] == "1"


def test_a_product_label_has_no_sign_that_a_label_may_not_have(a_driver: ADriver) -> None:
    """GFD v0.20.0 (internal/lm, `sanitise`)."""
    driver = a_driver(mig=False)
    driver.gpus[0].product = "NVIDIA H100 (engineering sample)"
    assert discovered(driver, "none")["gpu.product"] == "NVIDIA-H100-engineering-sample"


def test_a_slice_whose_memory_no_source_gives_has_the_part_that_its_name_says(a_driver: ADriver) -> None:
    """NVIDIA's tools derive the name from it; 0 would be `1g.0gb` (go-nvlib, getMigMemorySizeGB)."""
    found = discovered(a_driver("1g.34gb", gpu="B300-269GB"), "mixed")
    assert found["mig-1g.34gb.memory"] == "34432"


def test_a_strategy_of_none_is_not_labelled_and_offers_whole_gpus(a_driver: ADriver) -> None:
    driver = a_driver(*DENSE, gpus=2)
    assert "mig.strategy" not in discovered(driver, "none")
    assert device_plugin.resources(driver, "none") == {"nvidia.com/gpu": 2}


def test_mixed_offers_each_profile_under_its_own_name_and_single_all_as_gpus(a_driver: ADriver) -> None:
    driver = a_driver("3g.40gb", "1g.10gb", "1g.10gb+me", gpus=2)
    assert device_plugin.resources(driver, "mixed") == {
        "nvidia.com/gpu": 0,
        "nvidia.com/mig-3g.40gb": 2,
        "nvidia.com/mig-1g.10gb": 2,
        "nvidia.com/mig-1g.10gb.me": 2,
    }
    assert device_plugin.resources(a_driver(*DENSE, gpus=8), "single") == {"nvidia.com/gpu": 56}


def test_single_serves_profiles_of_which_nvml_reports_the_same_attributes(a_driver: ADriver) -> None:
    """The plugin compares attributes, which do not have graphics, and GPU Feature Discovery names (v0.20.0)."""
    driver = a_driver("1g.24gb+gfx", "1g.24gb", gpu="RTX PRO 6000 Blackwell-96GB")
    assert device_plugin.resources(driver, "single") == {"nvidia.com/gpu": 2}
    assert discovered(driver, "single")["gpu.product"].endswith("-MIG-INVALID")


def test_under_single_a_gpu_without_a_slice_ends_the_plugin_before_one_without_mig_does(a_driver: ADriver) -> None:
    """The error has the index of the GPU (v0.20.0)."""
    driver = a_driver(gpus=2)
    driver.gpus[0].set_mode(False)
    with pytest.raises(PluginError, match="device 1 has no MIG devices configured"):
        device_plugin.resources(driver, "single")
    driver.gpus[1].create("1g.10gb")
    with pytest.raises(PluginError, match="must be configured with the same migEnabled value"):
        device_plugin.resources(driver, "single")


def test_a_driver_version_without_a_revision_has_an_empty_one(a_driver: ADriver) -> None:
    """Under the name of the label and under its older one (internal/lm/nvml.go, v0.20.0)."""
    driver = a_driver()
    driver.version = "580.126"
    found = discovered(driver, "none")
    assert found["cuda.driver-version.revision"] == found["cuda.driver.rev"] == ""
    assert found["cuda.driver-version.minor"] == found["cuda.driver.minor"] == "126"


def test_one_partial_gpu_instance_ends_the_whole_plugin_under_mixed(a_driver: ADriver) -> None:
    driver = a_driver("1g.10gb")
    driver.gpus[0].create("3g.40gb", 1)
    with pytest.raises(PluginError, match=r"'1c\.3g\.40gb' does not match any resource patterns"):
        device_plugin.resources(driver, "mixed")


def test_the_operator_labels_gpu_nodes_and_sets_a_config_only_where_there_is_none() -> None:
    assert missing_labels({}, POLICY) == {}, "it ignores nodes without a GPU"
    assert "nvidia.com/mig.config" not in missing_labels(NFD, POLICY), "GFD has not set mig.capable yet"
    capable = {**NFD, "nvidia.com/mig.capable": "true"}
    assert missing_labels(capable, POLICY)["nvidia.com/mig.config"] == "all-disabled"
    assert missing_labels(capable, POLICY)["nvidia.com/gpu.deploy.mig-manager"] == "true"
    assert "nvidia.com/mig.config" not in missing_labels({**capable, "nvidia.com/mig.config": "mine"}, POLICY)
    other = {"spec": {"migManager": {"config": {"default": "all-1g.10gb"}}}}
    assert "nvidia.com/mig.config" not in missing_labels(capable, other), "upstream ignores any other default too"


def test_the_operator_does_not_change_paused_and_disabled_operands() -> None:
    current = {
        **NFD,
        "nvidia.com/gpu.deploy.device-plugin": "paused-for-mig-change",
        "nvidia.com/gpu.deploy.dcgm": "false",
        "nvidia.com/gpu.deploy.driver": "",
    }
    added = missing_labels(current, POLICY)
    assert "nvidia.com/gpu.deploy.device-plugin" not in added and "nvidia.com/gpu.deploy.dcgm" not in added
    assert added["nvidia.com/gpu.deploy.driver"] == "true", "an empty value counts as missing"

"""Which ConfigMap a MIG Manager takes its layout file from: by its pod's environment and mounts."""

from typing import Any

import pytest

from mig_fleet.observed.configs.manager_file import config_maps_read, file_path, policy_config_map, reads_layout_file

LAYOUTS = {"name": "mig-parted-config", "configMap": {"name": "mig-fleet-layouts"}}
THEIRS = {"name": "mig-parted-config", "configMap": {"name": "default-mig-parted-config"}}
MOUNT = {"name": "mig-parted-config", "mountPath": "/mig-parted-config"}


def a_pod(volumes: list[dict[str, Any]], mounts: list[dict[str, str]], **variables: str) -> dict[str, Any]:
    env = [{"name": "NODE_NAME", "valueFrom": {}}, *({"name": key, "value": it} for key, it in variables.items())]
    return {"spec": {"nodeName": "n1", "containers": [{"env": env, "volumeMounts": mounts}], "volumes": volumes}}


@pytest.mark.parametrize(("volume", "ours"), [(LAYOUTS, True), (THEIRS, False)])
def test_the_config_map_of_the_mounted_volume_is_what_it_reads(volume: dict[str, Any], ours: bool) -> None:
    pod = a_pod([volume, {"name": "host", "hostPath": {}}], [MOUNT, {"name": "host", "mountPath": "/host"}])
    assert config_maps_read(pod) == [volume["configMap"]["name"]]
    assert reads_layout_file(pod) is ours


def test_the_path_of_the_file_decides_which_mount_counts() -> None:
    mounts = [MOUNT, {"name": "mine", "mountPath": "/etc/"}, {"name": "inner", "mountPath": "/etc/mig"}]
    volumes = [THEIRS, {"name": "mine", "configMap": {"name": "outer"}}, {"name": "inner", "configMap": {"name": "in"}}]
    pod = a_pod(volumes, mounts, CONFIG_FILE="/etc/mig/config.yaml")
    assert (file_path(pod), config_maps_read(pod)) == ("/etc/mig/config.yaml", ["in"])


def test_a_single_mounted_file_and_a_projected_volume_are_found() -> None:
    volume = {"name": "mig-parted-config", "projected": {"sources": [{"secret": {}}, {"configMap": {"name": "mine"}}]}}
    pod = a_pod([volume], [{**MOUNT, "mountPath": "/mig-parted-config/config.yaml"}])
    assert config_maps_read(pod) == ["mine"]


def test_a_manager_that_generates_its_file_reads_its_own_config_map_and_then_the_fallback() -> None:
    """From gpu-operator 26.3 on, unless `migManager.config.name` is set."""
    pod = a_pod([THEIRS], [MOUNT], DEFAULT_CONFIG_FILE="/mig-parted-config/config.yaml")
    assert config_maps_read(pod) == ["n1-mig-config", "default-mig-parted-config"]
    assert file_path(pod) == "/etc/nvidia-mig-manager/generated-config.yaml"
    chosen = a_pod([LAYOUTS], [MOUNT], DEFAULT_CONFIG_FILE="/x", CONFIG_FILE="/mig-parted-config/config.yaml")
    assert config_maps_read(chosen) == ["mig-fleet-layouts"]


@pytest.mark.parametrize("spec", [{"containers": [{}]}, {"containers": [{"volumeMounts": [MOUNT]}]}])
def test_a_pod_without_a_known_mount_counts_as_one_that_reads_our_file(spec: dict[str, Any]) -> None:
    """An update then finds out by running mig-parted in the pod."""
    assert config_maps_read({"spec": spec}) == []
    assert reads_layout_file({"spec": spec})


@pytest.mark.parametrize(
    ("policies", "name"),
    [
        (None, ""),
        ([], ""),
        ([{"metadata": {}}], ""),
        ([{"spec": {"migManager": None}}], ""),
        ([{"spec": {"migManager": {"config": {"name": ""}}}}], ""),
        ([{"spec": {"migManager": {"config": {"name": "custom"}}}}], "custom"),
    ],
)
def test_the_cluster_policy_may_name_a_config_map(policies: list[dict[str, Any]] | None, name: str) -> None:
    assert policy_config_map(policies) == name

"""Chart values of a user that switch off an operand which mig-fleet needs, or that have no effect. Pure.

Sources: gpu-operator v26.7.0, values.yaml and controllers/object_controls.go; k8s-device-plugin v0.20.0, README.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from mig_fleet.documents import DocumentError, parse

Problem = tuple[str, object, str]
"""The path below ``operator.values``, the user's value, and what is wrong with it."""

NEEDED: Final = {
    "devicePlugin.enabled": (
        True,
        "only the operator's device plugin offers the slices to the kubelet, and an update waits for that; if NVIDIA's "
        "DRA driver publishes the slices, set operator.allocation: dra",
    ),
    "gfd.enabled": (
        True,
        "without GPU Feature Discovery no node gets the label nvidia.com/mig.capable, so that the operator runs no MIG "
        "Manager there",
    ),
    "clusterPolicy.deployCR": (True, "without a ClusterPolicy the operator runs no MIG Manager and no device plugin"),
    "gpuCluster.deployCR": (
        False,
        "the operands of a GPUCluster include no MIG Manager; for slices by ResourceClaims set operator.allocation: "
        "dra, and install NVIDIA's DRA driver with its own chart",
    ),
}
"""Chart value → what it must be, as it is by default, and what follows otherwise."""

DYNAMIC_MIG: Final = "DynamicMIG"
"""The feature gate of NVIDIA's DRA driver under which it partitions GPUs itself (dra-driver-nvidia-gpu v0.4.1)."""
ITS_EFFECT: Final = "at its start the driver destroys all slices that it did not make, and switches MIG off"


def switched_off(given: Mapping[str, Any], *, is_dra: bool = False) -> Iterator[Problem]:
    """``is_dra``: the DRA driver publishes the slices, and our own value switches the device plugin off."""
    features = _mapping(_mapping(given.get("draDriver")).get("featureGates"))
    if features.get(DYNAMIC_MIG) not in (None, False):
        text = f"must be false; remove the value: {ITS_EFFECT}"
        yield f"draDriver.featureGates.{DYNAMIC_MIG}", features[DYNAMIC_MIG], text
    for path, (needed, why) in NEEDED.items():
        section, key = path.split(".")
        if is_dra and section == "devicePlugin":
            continue
        inner = given.get(section)
        if isinstance(inner, Mapping) and key in inner and inner[key] is not needed:
            yield path, inner[key], f"must be {str(needed).lower()}; remove the value: {why}"


def strategies_without_effect(given: Mapping[str, Any], strategy: str) -> Iterator[Problem]:
    """Strategies in the configs of the device plugin, of which a node gets one by its label: the operator sets the
    variable ``MIG_STRATEGY`` to the ``strategy`` of ``mig.strategy``, and the device plugin prefers it to its file.
    """
    for name, config in plugin_configs(given).items():
        found = _mapping(config.get("flags")).get("migStrategy")
        if found not in (None, strategy):
            yield (
                f"devicePlugin.config.data.{name}",
                found,
                f"flags.migStrategy has no effect: mig.strategy is {strategy}, and it wins on every node; remove "
                f"flags.migStrategy, or write {strategy}",
            )


def plugin_configs(given: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The configs of the device plugin by name; one that cannot be read is empty."""
    config = _mapping(_mapping(given.get("devicePlugin")).get("config"))
    return {str(name): _mapping(_data(text)) for name, text in _mapping(config.get("data")).items()}


def default_plugin_config(given: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The name and content of the config that a node without a label has."""
    name = str(_mapping(_mapping(given.get("devicePlugin")).get("config")).get("default"))
    return name, plugin_configs(given).get(name, {})


def _data(text: object) -> object:
    """The chart takes a config of the device plugin as text."""
    try:
        return parse("config", text.encode()).data if isinstance(text, str) else text
    except DocumentError:
        return None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}

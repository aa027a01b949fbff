"""A NodeFeatureRule that labels each node with its GPU model, by PCI device id.

A pool with a selector for that label includes every such node, also one that an autoscaler added a minute ago; the next
update reconfigures it. The rule writes no config: a label that MIG Manager acts on would reconfigure all nodes at once.
"""

from collections.abc import Iterable
from typing import Any

import pulumi

from mig_fleet.cluster.client import FIELD_MANAGER
from mig_fleet.components.kubernetes_object import KubernetesObject
from mig_fleet.model import gpus, labels


class NodeLabels(pulumi.ComponentResource):
    """One NodeFeatureRule for the GPU models of the stack's pools."""

    def __init__(self, name: str, models: Iterable[str], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mig-fleet:index:NodeLabels", name, {}, opts)
        KubernetesObject(
            f"{name}-rule",
            labels.NODE_FEATURE_API,
            labels.NODE_FEATURE_RULE,
            {"name": labels.MODEL_RULE, "labels": {"app.kubernetes.io/managed-by": FIELD_MANAGER}},
            pulumi.ResourceOptions(parent=self),
            spec={"rules": rules(models)},
        )
        self.register_outputs({})


def rules(models: Iterable[str]) -> list[dict[str, Any]]:
    """One rule per model that has PCI device ids; others cannot be identified."""
    known = {gpus.find(model) for model in models}
    return [
        {
            "name": f"GPU model {model.short}",
            "labels": {labels.MODEL: model.short},
            "matchFeatures": [{"feature": "pci.device", "matchExpressions": _expressions(model)}],
        }
        for model in sorted(known, key=lambda model: model.short)
        if model.pci_device_ids
    ]


def _expressions(model: gpus.GpuModel) -> dict[str, Any]:
    """mig-parted writes device and vendor as one number, ``0x233010DE``; NFD has them separately and in lower case."""
    words = [word.removeprefix("0x").lower() for word in sorted(model.pci_device_ids)]
    others = sorted(word.lower() for board in model.other_boards for word in board.subsystem_devices)
    return {
        "vendor": {"op": "In", "value": sorted({word[4:] for word in words})},
        "device": {"op": "In", "value": sorted({word[:4] for word in words})},
        **({"subsystem_device": {"op": "NotIn", "value": others}} if others else {}),
    }

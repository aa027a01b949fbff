"""What every node of a wave must show: the third and last form of a layout, after the stack file's and the model's."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mig_fleet.model import gfd
from mig_fleet.model.allocated_by import AllocatedBy, offered
from mig_fleet.model.layouts import Layout
from mig_fleet.model.placement import NOTHING, Confirmed
from mig_fleet.model.strategy import PerGpu, Strategy, allocatable


@dataclass(frozen=True, slots=True)
class Expected:
    """One node's label, slices, resources and labels. As properties it is part of Pulumi's state."""

    config: str
    """Config name: the value of the label ``nvidia.com/mig.config``."""
    gpu: str
    """Catalog name of the GPU model; empty if it is not known. Not compared."""
    gpus: PerGpu
    """By GPU index: profile → count; ``None`` is MIG off."""
    allocatable: Mapping[str, int]
    """Extended resource → count that the kubelet must offer. Under DRA it offers none of them, and the slices of a
    node are still counted under these names."""
    labels: Mapping[str, str]
    """Labels that GPU Feature Discovery must write."""
    strategy: Strategy
    confirmed: Confirmed = field(default=NOTHING, compare=False)
    """What boards showed about a layout that no source proves. Not compared."""
    allocation: AllocatedBy = AllocatedBy.DEVICE_PLUGIN
    """What allocates the slices; a property only under DRA, so that a state of an earlier release is as it was."""

    @property
    def offered(self) -> dict[str, int]:
        """What pods may ask for, by extended resource or DeviceClass."""
        return offered(self.allocation, self.strategy, self.gpus)

    @classmethod
    def of_layout(
        cls,
        layout: Layout,
        gpus_per_node: int,
        strategy: Strategy,
        allocation: AllocatedBy = AllocatedBy.DEVICE_PLUGIN,
    ) -> "Expected":
        per_gpu = layout.per_gpu(gpus_per_node)
        of_gpus = cls.of_gpus(layout.config_name, per_gpu, strategy, layout.gpu, allocation)
        return replace(of_gpus, confirmed=layout.confirmed)

    @classmethod
    def of_gpus(
        cls,
        config: str,
        gpus: PerGpu,
        strategy: Strategy,
        gpu: str = "",
        allocation: AllocatedBy = AllocatedBy.DEVICE_PLUGIN,
    ) -> "Expected":
        return cls(
            config=config,
            gpu=gpu,
            gpus=tuple(None if profiles is None else dict(profiles) for profiles in gpus),
            allocatable=allocatable(strategy, gpus),
            labels=gfd.expected_labels(gpus, strategy),
            strategy=strategy,
            allocation=allocation,
        )

    def with_gpus(self, config: str, gpus: PerGpu) -> "Expected":
        """Another layout in the same cluster."""
        return Expected.of_gpus(config, gpus, self.strategy, allocation=self.allocation)

    @classmethod
    def from_properties(cls, props: Mapping[str, Any]) -> "Expected":
        """From a resource's properties, where Pulumi has turned whole numbers into floats.

        Single keys are read, never the whole mapping: in a policy one unknown value would switch the rule off
        (pulumi-policy #258).
        """
        return cls(
            config=str(props["config"]),
            gpu=str(props["gpu"]),
            gpus=tuple(None if profiles is None else _counts(profiles) for profiles in props["gpus"]),
            allocatable=_counts(props["allocatable"]),
            labels=dict(props["labels"]),
            strategy=Strategy(props["strategy"]),
            confirmed=Confirmed.of_data(props["confirmed"]) if "confirmed" in props else NOTHING,
            allocation=AllocatedBy(props["allocation"]) if "allocation" in props else AllocatedBy.DEVICE_PLUGIN,
        )

    def to_properties(self) -> dict[str, Any]:
        """Plain JSON values, for inputs and the state."""
        return {
            "config": self.config,
            "gpu": self.gpu,
            "gpus": [None if profiles is None else dict(profiles) for profiles in self.gpus],
            "allocatable": dict(self.allocatable),
            "labels": dict(self.labels),
            "strategy": str(self.strategy),
            **({"confirmed": shown} if (shown := self.confirmed.to_data()) else {}),
            **({"allocation": str(self.allocation)} if self.allocation is AllocatedBy.DRA else {}),
        }


def _counts(numbers: Mapping[str, Any]) -> dict[str, int]:
    return {str(name): int(number) for name, number in numbers.items()}

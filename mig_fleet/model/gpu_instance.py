"""GPU instances and their compute instances, as NVML reports them."""

from dataclasses import dataclass

from mig_fleet.model.reading import Reader


@dataclass(frozen=True, slots=True)
class ComputeInstance:
    """``profile`` is NVIDIA's name of the MIG device: that of the GPU instance if it spans all of it, else
    ``1c.3g.40gb``. ``mig_uuid`` is the UUID of the MIG device, another one each time it is created; None if the probe
    was not asked for it.
    """

    compute_instance_id: int
    profile: str
    slices: int
    mig_uuid: str | None = None


@dataclass(frozen=True, slots=True)
class Instance:
    """A GPU instance: ``start`` and ``size`` in memory slices; ``profile`` without a ``c.`` prefix."""

    gpu_instance_id: int
    profile: str
    start: int
    size: int
    compute_instances: tuple[ComputeInstance, ...]


def read_instance(data: Reader) -> Instance:
    """One entry of a report, as strict as the rest of it."""
    return data.close(
        Instance(
            gpu_instance_id=data.take("gpu_instance_id", int),
            profile=data.take("profile", str),
            start=data.take("start", int),
            size=data.take("size", int),
            compute_instances=tuple(
                item.close(
                    ComputeInstance(
                        compute_instance_id=item.take("compute_instance_id", int),
                        profile=item.take("profile", str),
                        slices=item.take("slices", int),
                        mig_uuid=item.take_optional_nullable("mig_uuid", str),
                    )
                )
                for item in data.each("compute_instances")
            ),
        )
    )

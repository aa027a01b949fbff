"""Reports for tests: written by hand, and arbitrary ones from Hypothesis."""

from hypothesis import strategies as st

from mig_fleet.model import Report
from mig_fleet.model.allocation import Allocation, sort_allocations
from mig_fleet.model.report import ComputeInstance, Gpu, Instance


def an_instance(number: int, profile: str, start: int, size: int, devices: tuple[str, ...] | None = None) -> Instance:
    names = devices if devices is not None else (profile,)
    return Instance(number, profile, start, size, tuple(ComputeInstance(i, name, 1) for i, name in enumerate(names)))


def a_gpu(index: int, *instances: Instance, mig: bool | None = True) -> Gpu:
    return Gpu(index, f"GPU-{index}", "0x233010DE", "NVIDIA H100 80GB HBM3", 81559, mig, mig, instances, "H100-80GB")


def a_report(*gpus: Gpu) -> Report:
    return Report("gpu-node-1", "580.126.09", "dense-255390f5", "success", gpus)


_numbers = st.none() | st.integers(0, 13)
_texts = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Zl", "Zp", "Zs")) | st.just(" "), max_size=30)
_nodes = st.text("abc019.-", max_size=10).map(lambda text: f"node{text}")
_profiles = st.sampled_from(["1g.10gb", "1g.10gb+me", "1c.3g.40gb", "unknown(19)"])
allocations = st.builds(Allocation, _texts, _texts, _texts, _numbers, _numbers, _numbers)

reports = st.builds(
    Report,
    _nodes,
    _texts,
    st.none() | _texts,
    st.none() | _texts,
    st.lists(
        st.builds(
            a_gpu, st.integers(0, 7), st.builds(an_instance, st.integers(0, 1), _profiles, st.just(0), st.just(1))
        ),
        max_size=4,
        unique_by=lambda gpu: gpu.index,
    ).map(tuple),
    st.lists(_texts, max_size=5).map(tuple),
    st.none() | _texts,
    st.none() | st.lists(allocations, max_size=3).map(sort_allocations),
    _texts,
)

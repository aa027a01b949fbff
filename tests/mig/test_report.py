"""The report: canonical, strict, and the same shape of counts as a layout."""

import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mig import Layout, Report
from mig.errors import InvalidReport
from mig.report import ComputeInstance, Gpu, Instance, profile_name


def an_instance(number: int, profile: str, start: int, size: int, devices: tuple[str, ...] | None = None) -> Instance:
    names = devices if devices is not None else (profile,)
    return Instance(number, profile, start, size, tuple(ComputeInstance(i, name, 1) for i, name in enumerate(names)))


def a_gpu(index: int, *instances: Instance, mig: bool | None = True) -> Gpu:
    return Gpu(index, f"GPU-{index}", "0x233010DE", "NVIDIA H100 80GB HBM3", 81559, mig, mig, instances, "H100-80GB")


def a_report(*gpus: Gpu) -> Report:
    return Report("gpu-node-1", "580.126.09", "dense-255390f5", "success", gpus)


def test_counts_have_the_shape_of_a_layout() -> None:
    layout = Layout.parse(
        "some",
        {
            "gpu": "H100-80GB",
            "gpus": [{"devices": [0], "profiles": {"3g.40gb": 2}}, {"devices": [1], "disabled": True}],
        },
    )
    gpus = [a_gpu(1, mig=False), a_gpu(0, an_instance(1, "3g.40gb", 0, 4), an_instance(2, "3g.40gb", 4, 4))]
    assert a_report(*gpus).counts() == layout.per_gpu(2), "by index, whatever the order NVML was read in"


def test_a_gpu_instance_without_a_compute_instance_counts_for_nothing() -> None:
    assert a_report(a_gpu(0, an_instance(1, "3g.40gb", 0, 4, ()))).counts() == ({},)


def test_parts_of_an_instance_are_counted_as_mig_parted_counts_them() -> None:
    split = an_instance(1, "3g.40gb", 0, 4, ("1c.3g.40gb", "1c.3g.40gb"))
    assert a_report(a_gpu(0, split)).counts() == ({"1c.3g.40gb": 2},)


def test_a_gpu_that_cannot_do_mig_has_no_counts() -> None:
    assert a_report(a_gpu(0, mig=None)).counts() == (None,)


reports = st.builds(
    Report,
    st.text(),
    st.text(),
    st.none() | st.text(),
    st.none() | st.text(),
    st.lists(
        st.builds(
            a_gpu, st.integers(0, 7), st.builds(an_instance, st.integers(0, 9), st.text(), st.just(0), st.just(1))
        ),
        max_size=3,
    ).map(tuple),
    st.lists(st.text()).map(tuple),
    st.none() | st.text(),
)


@given(reports)
def test_what_is_written_reads_back_equal_and_equal_reports_are_equal_bytes(report: Report) -> None:
    text = report.to_json()
    assert "\n" not in text
    assert Report.from_json(text) == report
    assert Report.from_json(text).to_json() == text
    assert pickle.loads(pickle.dumps(report)) == report


def broken(**changes: Any) -> str:
    data = json.loads(a_report(a_gpu(0, an_instance(1, "1g.10gb", 0, 1))).to_json())
    for path, value in changes.items():
        target: Any = data
        *steps, last = path.split("__")
        for step in steps:
            target = target[int(step)] if step.isdecimal() else target[step]
        if value is ...:
            del target[last]
        else:
            target[last] = value
    return json.dumps(data)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("[]", "must be a mapping"),
        (broken(version=2), "version: found 2, this release reads 1; is the probe of the same release?"),
        (broken(version=True), "version: must be a whole number, found True"),
        (broken(node=...), "node: is missing"),
        (broken(surplus=1), "surplus: is not a key here"),
        (broken(gpus={}), "gpus: must be a list"),
        (broken(gpus__0__index="0"), "gpus[0].index: must be a whole number, found '0'"),
        (broken(gpus__0__mig_mode_current=1), "gpus[0].mig_mode_current: must be true or false"),
        (broken(gpus__0__instances__0__start=...), "gpus[0].instances[0].start: is missing"),
        (broken(gpus__0__instances__0__compute_instances__0__slices=None), "compute_instances[0].slices: must be"),
        (broken(errors=[1]), "errors[0]: must be a text, found 1"),
    ],
)
def test_a_report_that_is_not_ours_is_refused_at_its_place(text: str, says: str) -> None:
    with pytest.raises(InvalidReport) as refused:
        Report.from_json(text)
    assert says in str(refused.value)
    assert pickle.loads(pickle.dumps(refused.value)).path == refused.value.path


VALUES = st.none() | st.booleans() | st.integers(-1, 2) | st.just(1.0) | st.text(max_size=2) | st.just([]) | st.just({})


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything in a document, itself included."""
    inside = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(place for key, value in inside for place in places(value, (*path, key)))]


@given(reports, st.data())
def test_the_quick_way_to_read_a_report_and_the_strict_one_never_disagree(report: Report, data: st.DataObject) -> None:
    document = [json.loads(report.to_json())]
    *steps, last = data.draw(st.sampled_from(places(document)[1:]))
    target: Any = document
    for step in steps:
        target = target[step]
    target[last] = data.draw(VALUES)
    if isinstance(target, dict) and data.draw(st.booleans()):
        target[data.draw(st.text(max_size=2))] = 1
    text = json.dumps(document[0])

    def verdict() -> object:
        try:
            return Report.from_json(text)
        except InvalidReport as refused:
            return str(refused)

    quick = verdict()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mig.report._quickly", lambda document: document["no such key"])
        strict = verdict()
    assert repr(quick) == repr(strict), "1, 1.0 and true are equal, and not the same"


@pytest.mark.parametrize(
    ("pci_id", "nvml_id", "nvml_name", "name"),
    [
        ("0x233010DE", 19, None, "1g.10gb"),
        ("0x233010DE", 20, None, "1g.10gb+me"),
        ("0x233010DE", 9, "MIG 3g.40gb", "3g.40gb"),
        ("0x294110DE", 19, "MIG 1g.24gb", "1g.24gb"),
        ("0x00000000", 19, "MIG 1g.10gb", "1g.10gb"),
        ("0x00000000", 19, None, "unknown(19)"),
        ("0x233010DE", 99, None, "unknown(99)"),
        ("0x233010DE", 19, "gibberish", "1g.10gb"),
    ],
)
def test_an_instance_is_named_by_the_driver_else_by_the_catalog(
    pci_id: str, nvml_id: int, nvml_name: str | None, name: str
) -> None:
    assert profile_name(pci_id, nvml_id, nvml_name) == name

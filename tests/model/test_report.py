"""The report: canonical, strict, with counts of the same shape as a layout."""

import json
import pickle
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given

from mig_fleet.model import Layout, Report
from mig_fleet.model.errors import InvalidReport
from mig_fleet.model.nvml_names import profile_name
from mig_fleet.model.report import instances_from_json
from tests.model.reports import a_gpu, a_report, an_instance, reports


def test_counts_have_the_shape_of_a_layout() -> None:
    layout = Layout.parse(
        "some",
        {
            "gpu": "H100-80GB",
            "gpus": [{"devices": [0], "profiles": {"3g.40gb": 2}}, {"devices": [1], "disabled": True}],
        },
    )
    gpus = [a_gpu(1, mig=False), a_gpu(0, an_instance(1, "3g.40gb", 0, 4), an_instance(2, "3g.40gb", 4, 4))]
    assert a_report(*gpus).counts() == layout.per_gpu(2), "by index, in whatever order NVML was read"


def test_a_gpu_instance_without_a_compute_instance_is_bare_and_not_counted() -> None:
    bare = an_instance(1, "3g.40gb", 0, 4, ())
    gpu = a_gpu(0, bare, an_instance(2, "1g.10gb", 4, 1))
    assert gpu.bare_instances == (bare,)
    assert a_report(gpu).counts() == ({"1g.10gb": 1},)


@pytest.mark.parametrize(
    ("current", "pending", "is_pending"),
    [(True, True, False), (False, False, False), (True, False, True), (False, True, True), (None, None, False)],
)
def test_a_gpu_waits_for_a_reset_if_its_pending_mig_mode_is_another(
    current: bool | None, pending: bool | None, is_pending: bool
) -> None:
    gpu = replace(a_gpu(0), mig_mode_current=current, mig_mode_pending=pending)
    assert gpu.is_reset_pending is is_pending


def test_parts_of_an_instance_are_counted_as_mig_parted_counts_them() -> None:
    split = an_instance(1, "3g.40gb", 0, 4, ("1c.3g.40gb", "1c.3g.40gb"))
    assert a_report(a_gpu(0, split)).counts() == ({"1c.3g.40gb": 2},)


def test_a_gpu_without_mig_support_has_no_counts() -> None:
    assert a_report(a_gpu(0, mig=None)).counts() == (None,)


@given(reports)
def test_a_report_reads_back_equal_and_equal_reports_are_equal_bytes(report: Report) -> None:
    text = report.to_json()
    assert "\n" not in text
    assert Report.from_json(text) == report
    assert Report.from_json(text).to_json() == text
    assert pickle.loads(pickle.dumps(report)) == report


def test_a_gpu_that_differs_in_its_index_and_uuid_only_is_written_as_one_like_the_first() -> None:
    one, other = an_instance(1, "3g.40gb", 0, 4), an_instance(2, "3g.40gb", 4, 4)
    report = a_report(a_gpu(2, one), a_gpu(0, other), a_gpu(3, one), a_gpu(1, one), replace(a_gpu(4, one), product="A"))
    first, second, third, fourth, fifth = json.loads(report.to_json())["gpus"]
    assert (third, fourth) == ({"index": 3, "uuid": "GPU-3", "like": 2}, {"index": 1, "uuid": "GPU-1", "like": 2})
    assert not any("like" in gpu for gpu in (first, second, fifth))


def test_the_report_of_an_older_probe_which_wrote_each_gpu_in_full_is_read_as_the_same() -> None:
    report = a_report(*(a_gpu(index, an_instance(1, "3g.40gb", 0, 4)) for index in range(8)))
    assert Report.from_json(json.dumps({"version": 1, **asdict(report)})) == report


def test_a_short_text_cannot_repeat_the_instances_of_one_gpu_for_ever() -> None:
    full = a_gpu(0, *(an_instance(number, "1g.10gb", 0, 1) for number in range(512)))
    assert len(Report.from_json(a_report(full, replace(full, index=1)).to_json()).gpus) == 2
    data = json.loads(a_report(full).to_json())
    data["gpus"] += [{"index": index, "uuid": f"GPU-{index}", "like": 0} for index in range(1, 3)]
    with pytest.raises(InvalidReport, match="gpus: must have at most 1024 GPU instances, found 1536"):
        Report.from_json(json.dumps(data))


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


def with_a_like(**changes: Any) -> str:
    data = json.loads(broken())
    data["gpus"].append({"index": 1, "uuid": "GPU-1", "like": 0, **changes})
    return json.dumps(data)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is not JSON"),
        ("[" * 100_000, "it is nested too deeply"),
        ("[]", "must be a mapping"),
        (broken(version=3), "version: found 3, this release reads 1 and 2; does the probe have the same release?"),
        (broken(version=True), "version: must be a whole number, found True"),
        (broken(node=...), "node: is missing"),
        (broken(surplus=1), "surplus: unknown key"),
        (broken(gpus={}), "gpus: must be a list"),
        (broken(gpus__0__index="0"), "gpus[0].index: must be a whole number, found '0'"),
        (broken(gpus__0__mig_mode_current=1), "gpus[0].mig_mode_current: must be true or false"),
        (broken(gpus__0__instances__0__start=...), "gpus[0].instances[0].start: is missing"),
        (broken(gpus__0__instances__0__compute_instances__0__slices=None), "compute_instances[0].slices: must be"),
        (broken(gpus__0__like=0), "gpus[0].like: must be the index of an earlier GPU, found 0"),
        (broken(gpus=[{"index": 1, "uuid": "GPU-1", "like": 0}]), "gpus[0].like: must be the index of an earlier GPU"),
        (with_a_like(like=None), "gpus[1].like: must be a whole number, found None"),
        (with_a_like(uuid="1"), "gpus[1].uuid: must be a GPU's UUID"),
        (with_a_like(product="A"), "gpus[1].product: unknown key"),
        (with_a_like(index=0), "gpus: must have different indexes, found [0, 0]"),
        (broken(errors=[1]), "errors[0]: must be a text, found 1"),
        (broken(errors=...), "errors: is missing; it must be a list"),
        (broken(allocations={}), "allocations: must be a list"),
        (broken(allocations=[1]), "allocations[0]: must be a mapping"),
        (broken(allocations=[{"namespace": "default"}]), "allocations[0].pod: is missing; it must be a text"),
        (broken(allocations_error=None), "allocations_error: must be a text"),
    ],
)
def test_a_malformed_report_is_refused_with_its_path(text: str, why: str) -> None:
    with pytest.raises(InvalidReport) as refused:
        Report.from_json(text)
    assert why in str(refused.value)
    assert pickle.loads(pickle.dumps(refused.value)).path == refused.value.path


def test_the_report_of_an_older_probe_says_nothing_about_allocations() -> None:
    report = Report.from_json(broken(allocations=..., allocations_error=...))
    assert (report.allocations, report.allocations_error) == (None, "")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[", "it is not JSON"),
        (b"\xff", "it is not JSON"),
        ("[" * 100_000, "it is nested too deeply"),
        ("{}", "instances: must be a list"),
        ("[{}]", "instances[0].gpu_instance_id: is missing"),
    ],
)
def test_malformed_instances_are_refused_with_their_path(text: str | bytes, why: str) -> None:
    with pytest.raises(InvalidReport) as refused:
        instances_from_json(text)
    assert why in str(refused.value)


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
def test_the_name_of_an_instance_is_the_drivers_or_else_the_catalogs(
    pci_id: str, nvml_id: int, nvml_name: str | None, name: str
) -> None:
    assert profile_name(pci_id, nvml_id, nvml_name) == name

"""Faults are names in a node's annotation; each describes the failure that it imitates."""

import pytest

from mig_fleet.simulator import Fault, faults


@pytest.mark.parametrize("fault", list(Fault))
def test_every_fault_describes_the_failure_that_it_imitates(fault: Fault) -> None:
    assert len(fault.meaning) > 40 and not fault.meaning.endswith(".")


def test_faults_are_read_as_they_were_written_and_unknown_names_are_ignored() -> None:
    injected = frozenset({Fault.MANAGER_SLOW, Fault.GFD_STALE})
    assert faults.write(injected) == "gfd-stale,manager-slow"
    assert faults.read({faults.ANNOTATION: "manager-slow, gfd-stale,earthquake"}) == injected
    assert faults.write(()) is None and faults.read(None) == frozenset()


def test_nvml_errors_are_read_as_they_were_written_and_include_a_lost_gpu() -> None:
    errors = {"nvmlInit_v2": 9, "nvmlDeviceGetMigMode": 15}
    value = faults.write_nvml_errors(errors)
    assert value is not None
    annotations = {faults.NVML_ERRORS: value}
    assert faults.read_nvml_errors(annotations) == errors
    lost = {**annotations, faults.ANNOTATION: str(Fault.PROBE_NVML_ERROR)}
    assert faults.read_nvml_errors(lost) == {**errors, "nvmlDeviceGetHandleByIndex_v2": 15}
    assert faults.listed_nvml_errors(lost) == errors
    assert faults.read_nvml_errors({faults.NVML_ERRORS: "nvmlInit_v2,=3,x=y"}) == {}

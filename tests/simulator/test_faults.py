"""Faults are names on a node; each says what it imitates."""

import pytest

from mig_fleet.simulator import Fault, faults


@pytest.mark.parametrize("fault", list(Fault))
def test_every_fault_says_what_it_imitates(fault):
    assert len(fault.meaning) > 40 and not fault.meaning.endswith(".")


def test_faults_are_read_as_they_were_written_and_strangers_are_passed_over():
    playing = frozenset({Fault.MANAGER_SLOW, Fault.GFD_STALE})
    assert faults.write(playing) == "gfd-stale,manager-slow"
    assert faults.read({faults.ANNOTATION: "manager-slow, gfd-stale,earthquake"}) == playing
    assert faults.write(()) is None and faults.read(None) == frozenset()


def test_errors_of_nvml_are_read_as_they_were_written_and_a_lost_gpu_is_one_of_them():
    errors = {"nvmlInit_v2": 9, "nvmlDeviceGetMigMode": 15}
    annotations = {faults.NVML_ERRORS: faults.write_nvml_errors(errors)}
    assert faults.read_nvml_errors(annotations) == errors
    lost = {**annotations, faults.ANNOTATION: faults.write({Fault.PROBE_NVML_ERROR})}
    assert faults.read_nvml_errors(lost) == {**errors, "nvmlDeviceGetHandleByIndex_v2": 15}
    assert faults.listed_nvml_errors(lost) == errors
    assert faults.read_nvml_errors({faults.NVML_ERRORS: "nvmlInit_v2,=3,x=y"}) == {}

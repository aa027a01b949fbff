"""A chart that is a path has no repository, also where a program cannot say so."""

import pytest

from mig_fleet.stack_file.settings import Operator

NVIDIA = "https://helm.ngc.nvidia.com/nvidia"


@pytest.mark.parametrize("chart", ["./charts/gpu-operator", "/srv/gpu-operator", "charts/operator", "gpu-operator.tgz"])
def test_a_path_has_no_repository(chart: str) -> None:
    assert Operator.model_validate({"chart": chart}).repository is None
    assert Operator.model_validate({"chart": chart, "repository": NVIDIA}).repository == NVIDIA, (
        "what a program passes counts"
    )


@pytest.mark.parametrize("given", [{}, {"chart": "gpu-operator"}, {"chart": "oci://registry.example/gpu-operator"}])
def test_a_name_has_the_repository_of_nvidia(given: dict[str, str]) -> None:
    assert Operator.model_validate(given).repository == NVIDIA
    assert Operator.model_validate({**given, "repository": None}).repository is None

"""A stack file whose operator cannot serve its layouts is refused before anything is installed."""

from typing import Any

import pytest

from mig_fleet.stack_file import fleet
from mig_fleet.stack_file.problems import InvalidSettings


def a_stack(operator: dict[str, Any], gpu: str = "RTX-PRO-6000", profiles: dict[str, int] | None = None) -> Any:
    pool = {"gpu": gpu, "gpusPerNode": 1, "selector": {"matchLabels": {"desk": "yes"}}, "layout": "screens"}
    return {
        "cluster": {"context": "lab"},
        "operator": operator,
        "layouts": {"screens": {"gpu": gpu, "all": profiles or {"1g.24gb+gfx": 4}}},
        "pools": {"desks": pool},
    }


def problems(raw: Any, secrets: frozenset[str] = frozenset()) -> list[str]:
    with pytest.raises(InvalidSettings) as refused:
        fleet.parse(raw, "Pulumi.test.yaml", secrets)
    return [str(problem) for problem in refused.value.problems]


def test_a_chart_with_a_mig_manager_that_does_not_know_a_profile_is_refused() -> None:
    (found,) = problems(a_stack({"version": "v24.3.0"}))
    assert found == (
        "operator.version: Release 'gpu-operator' must use MIG Manager v0.12.3 (GPU Operator v25.3.3) or newer for "
        "pool 'desks': an older one does not know 1g.24gb+gfx (found 24.3.0)"
    )


@pytest.mark.parametrize(
    "operator",
    [
        {"version": "v25.3.3"},
        {"version": "v24.3.0", "values": {"migManager": {"version": "v0.13.1"}}},
        {"version": "v24.3.0", "managed": False},
        {"chart": "./charts/gpu-operator", "version": None},
    ],
    ids=["the first chart", "a newer MIG Manager", "an operator of others", "a folder"],
)
def test_an_operator_that_serves_the_layouts_or_is_not_known_is_accepted(operator: dict[str, Any]) -> None:
    assert fleet.parse(a_stack(operator), "x").pools


@pytest.mark.parametrize("version", ["latest", "v26.7.O", "main", "26.7.0.1"])
def test_a_version_that_helm_cannot_read_is_refused(version: str) -> None:
    (found,) = problems(a_stack({"version": version}))
    assert found == (
        "operator.version: must be a version of the chart such as v26.7.0, or a range of versions such as ~26.7 "
        f"(found {version!r})"
    )


@pytest.mark.parametrize("version", ["26.7.0", "v26.7.0-rc.1", "~26.7", ">=26.3, <27", "26.x || 27.*", "26.3 - 26.7"])
def test_a_version_or_a_range_that_helm_reads_is_accepted(version: str) -> None:
    assert fleet.parse(a_stack({"version": version}), "x").settings.operator.version == version


def test_a_chart_that_lacks_what_is_set_is_refused_whatever_the_layouts_are() -> None:
    (found,) = problems(a_stack({"version": "v1.7.0"}, "H200-141GB", {"1g.18gb": 7}))
    assert "must use chart v23.6.0 or newer" in found and "(found 1.7.0)" in found


def test_a_secret_version_is_not_repeated() -> None:
    (found,) = problems(a_stack({"version": "v22.9.0"}), frozenset({"operator"}))
    assert "22.9" not in found


@pytest.mark.parametrize(
    ("values", "path"),
    [({"devicePlugin": {"enabled": False}}, "devicePlugin.enabled"), ({"gfd": {"enabled": False}}, "gfd.enabled")],
)
def test_an_operand_that_is_switched_off_is_a_mistake_in_the_stack_file(values: dict[str, Any], path: str) -> None:
    (found,) = problems(a_stack({"version": "v26.7.0", "values": values}))
    assert found.startswith(f"operator.values.{path}: must be true; remove the value: ")


@pytest.mark.parametrize(
    ("driver", "is_served"),
    [
        ({"version": "510.47.03"}, False),
        ({"version": "525.85.12"}, True),
        ({"version": "510.47.03", "enabled": False}, True),
        ({}, True),
    ],
    ids=["too old", "new enough", "on the host", "that of the chart"],
)
def test_a_driver_that_the_chart_installs_supports_mig_on_the_pools_gpus(
    driver: dict[str, Any], is_served: bool
) -> None:
    raw = a_stack({"values": {"driver": driver}}, "H100-80GB", {"1g.10gb": 7})
    if is_served:
        assert fleet.parse(raw, "x").pools
        return
    (found,) = problems(raw)
    assert found.startswith("operator.values.driver.version: Release 'gpu-operator' must install a driver that serves")
    assert "driver 510.47.03 does not support MIG on H100-80GB of pool 'desks', which needs R525" in found

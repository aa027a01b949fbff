"""The helper that runs promtool: a wrong rule and a wrong expectation make a test fail."""

import pytest

from mig_fleet.monitoring.rules import Alert, Group, Record
from tests.monitoring.promtool import Case, FiringAlert, Promtool, rounded
from tests.monitoring.series_samples import series

pytestmark = pytest.mark.engine

GROUPS = [
    Group("doubled", (Record("doubled", "2 * x"),)),
    Group("alerts", (Alert("Large", "doubled > 10", 60, {"severity": "warning"}, {"summary": "large"}),)),
]
LARGE = FiringAlert({"severity": "warning", "a": "b"}, {"summary": "large"})


def case(value: float, *firing: FiringAlert) -> Case:
    samples = [series("x", 6, a="b")]
    return Case("a case", samples, rows={"doubled": [({"a": "b"}, value)]}, firing={("10m", "Large"): firing})


def test_a_case_that_holds_passes(promtool: Promtool) -> None:
    promtool.check(GROUPS)
    promtool.verify(GROUPS, case(12, LARGE))


@pytest.mark.parametrize(
    "wrong", [case(13, LARGE), case(12), case(12, FiringAlert({"severity": "page", "a": "b"}))], ids=str
)
def test_a_case_that_does_not_hold_fails_with_what_was_found(promtool: Promtool, wrong: Case) -> None:
    assert "got:" in promtool.failure(GROUPS, case(12, LARGE), wrong)
    with pytest.raises(AssertionError, match="FAILED"):
        promtool.verify(GROUPS, wrong)


def test_a_rule_that_is_not_promql_fails(promtool: Promtool) -> None:
    wrong = [Group("wrong", (Record("wrong", "rate(x)"),))]
    with pytest.raises(AssertionError, match="rate"):
        promtool.check(wrong)
    assert promtool.failure(wrong, Case("a case", []))


def test_a_rule_that_cannot_be_evaluated_fails(promtool: Promtool) -> None:
    """A join that finds two rows has no result in Prometheus, and only its log shows why."""
    wrong = [Group("wrong", (Record("joined", "x * on () group_left () y"),))]
    samples = [series("x", 1), series("y", 1, replica="a"), series("y", 1, replica="b")]
    assert "many-to-many" in promtool.failure(wrong, Case("a case", samples))


def test_a_rounded_query_gives_the_nearest_decimal(promtool: Promtool) -> None:
    samples = [series("x", 1 / 7)]
    promtool.verify([], Case("a case", samples, rows={rounded("x"): [({}, 0.142857)]}))

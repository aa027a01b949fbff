"""An expression that the stack file accepts is one that Prometheus reads, too."""

import subprocess
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mig_fleet.monitoring.promql import text
from mig_fleet.monitoring.rules import Group, Record, rule_file, rule_text
from mig_fleet.stack_file.regex import LONGEST, verified_regex

ACCEPTED = [
    "nvidia-dcgm-exporter.*|dcgm-exporter",
    r"(?:gpu)?/dcgm[-.]exporter\d*?",
    r"^[^\s/]+/[\w.-]{1,1000}(a|b)+?$",
    r"a{2}b{2,}c{0,1}?\{\}\[\]\_\-[\]\-^]é",
    "(" * 124 + "a" + ")" * 124,
]
REFUSED = [
    *(r"a\Zb", r"\N{DIGIT ONE}", r"\u0041", r"(d)cgm\1", r"[a\b]", "\\é", "\\"),
    *("(?a)x", "(?x)x", "(?u)x", "(?#c)x", "(?!node)dcgm", "(?P<name>a)", "(?>a)"),
    *("a{1001}", "a{,3}", "a{01}", "a{x}", "(a{40}){40}", "a*+", "a++", "a**", "^*a", "*a"),
    *("[[:alpha:]]+", "[a--b]", "[a&&b]", "[a||b]", "[a~~b]", "[]a]", "[^]a]", "[z-a]", r"[a-\d]", "[a", "a]", "(a"),
    *("a\nb", "a\x00"),
]
PIECES = ["a", "é", "-", "_", " ", ".", "/", "&", "|", "~", "^", "$", "[", "]", "[^", "(", ")", "(?:", "(?", "{", "}"]
PIECES += ["*", "+", "?", "{2}", "{1,1000}", "{2,}", ",", "1", "a-z", "\\", r"\d", r"\.", r"\b", '"', "P<n>", ":"]
EXPRESSIONS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=9).map("".join)


def is_accepted(expression: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return verified_regex(expression) == expression
        except ValueError:
            return False


@pytest.mark.parametrize("expression", ACCEPTED, ids=repr)
def test_what_both_read_is_accepted(expression: str) -> None:
    assert is_accepted(expression)


@pytest.mark.parametrize("expression", REFUSED, ids=repr)
def test_what_one_of_them_cannot_read_is_refused_with_what_is_accepted(expression: str) -> None:
    assert not is_accepted(expression)
    with pytest.raises(ValueError, match=r"must be a regular expression of Prometheus \(RE2\)"):
        verified_regex(expression)


@pytest.mark.engine
@given(st.lists(EXPRESSIONS.filter(is_accepted), max_size=60))
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_prometheus_reads_whatever_is_accepted(promtool: str, tmp_path: Path, expressions: list[str]) -> None:
    every = {*ACCEPTED, "x" + "a" * (LONGEST - 7) + "{1000}", *expressions}
    records = [Record("found", f"up{{job=~{text(each)}}}", {"number": str(n)}) for n, each in enumerate(sorted(every))]
    file = tmp_path / "rules.yaml"
    file.write_text(rule_text(rule_file([Group("expressions", tuple(records))])))
    ran = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr

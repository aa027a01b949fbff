"""`mig-fleet simulate prometheus` gives the fleet's Prometheus the rules of a stack, and prints where to look."""

from collections.abc import Iterable
from pathlib import Path

import promql_parser
import pytest
import yaml
from click.testing import CliRunner, Result

from mig_fleet import toolchain
from mig_fleet.cli import simulate_prometheus
from mig_fleet.cli.__main__ import main
from mig_fleet.simulator.errors import NotStarted
from mig_fleet.simulator.prometheus import Settings
from mig_fleet.toolchain import Place, SearchResult, Tool

URL = "http://127.0.0.1:9090"
STACK = Path(__file__).parents[2] / "stacks" / "Pulumi.local.yaml"


class Starts:
    """In place of the daemon: what it was asked for."""

    def __init__(self) -> None:
        self.settings = Settings("")
        self.rules: list[str] = []
        self.error = ""

    def __call__(self, _directory: Path, settings: Settings, rules: Iterable[Path]) -> str:
        self.settings, self.rules = settings, [file.read_text() for file in rules]
        if self.error:
            raise NotStarted(self.error)
        return URL


@pytest.fixture
def starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Starts:
    """A project with the stack `local`, and a toolchain that has Prometheus."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / STACK.name).write_text(STACK.read_text())
    found = SearchResult((Tool("prometheus", "3.14.0", Path("/opt/prometheus"), Place.PATH, "", ()),))
    monkeypatch.setattr(toolchain, "ensure", lambda *_, **__: found)
    starts = Starts()
    monkeypatch.setattr(simulate_prometheus, "start", starts)
    return starts


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["simulate", "prometheus", *words])


def test_it_gets_the_rules_of_stack_local_and_the_allowlists_that_they_need(starts: Starts) -> None:
    found = run()
    assert found.exit_code == 0, found.output
    (rules,) = starts.rules
    groups = yaml.safe_load(rules)["groups"]
    names = {rule.get("record") or rule["alert"] for group in groups for rule in group["rules"]}
    assert {"mig:declared:slices", "MIGTelemetryMissing"} <= names
    assert starts.settings.program == "/opt/prometheus"
    assert "mig-fleet.dev/verified-config" in starts.settings.annotation_allowlist
    assert starts.settings.label_allowlist.startswith("nodes=[")


def test_it_prints_the_url_and_three_queries_that_are_promql(starts: Starts) -> None:
    output = run().output
    assert f"every 5 s: {URL}\n" in output and f"{URL}/alerts" in output
    assert len(simulate_prometheus.QUERIES) == 3
    for query in simulate_prometheus.QUERIES:
        assert f"\n  {query}\n" in output
        promql_parser.parse(query)


def test_rule_files_replace_those_of_stack_local(starts: Starts) -> None:
    for name in ("a", "b"):
        Path(f"{name}.yaml").write_text(name)
    assert run("--rules", "a.yaml", "--rules", "b.yaml").exit_code == 0
    assert starts.rules == ["a", "b"]


def test_a_file_that_does_not_exist_is_an_error_with_the_command_that_writes_one(starts: Starts) -> None:
    found = run("--rules", "none.yaml")
    assert found.exit_code == 1 and "none.yaml is not a file; `mig-fleet monitoring" in found.output


def test_prometheus_own_error_is_printed(starts: Starts) -> None:
    starts.error = "Prometheus ended with exit code 1:\nrules.yaml: parse error"
    found = run()
    assert found.exit_code == 1 and found.output.endswith("rules.yaml: parse error\n")

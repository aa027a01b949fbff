"""`mig-fleet advise` prints what follows from the use of slices, and changes nothing."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mig_fleet.advice.credentials import TOKEN_VARIABLE
from mig_fleet.advice.errors import PrometheusError
from mig_fleet.advice.measurement import Measurement
from mig_fleet.advice.outcome import Outcome
from mig_fleet.advice.prometheus import READ_WITHIN_S
from mig_fleet.advice.queries import nodes_of
from mig_fleet.cli import advise
from mig_fleet.cli.__main__ import main
from mig_fleet.cli.exit_codes import ExitCode
from tests.advice.measurements import GIB, of_nodes
from tests.advice.recorded import Recorded
from tests.cli.test_pages import CLICKS, PAGE

STACK = """\
config:
  mig-fleet:cluster: {context: c}
  mig-fleet:layouts:
    halves: {gpu: H100-80GB, all: {3g.40gb: 2}}  # large
    mixed: {gpu: H100-80GB, all: {3g.40gb: 1, 2g.20gb: 1, 1g.10gb: 2}}
    whole: {gpu: H100-80GB, disabled: true}
    unused: {gpu: H100-80GB, all: {3g.40gb: 2}}
  mig-fleet:pools:
    serving: {gpu: H100-80GB, gpusPerNode: 2, nodes: [n1, n2], layout: halves}
    selected: {gpu: H100-80GB, gpusPerNode: 2, selector: {matchLabels: {role: gpu}}, layout: mixed}
    training: {gpu: H100-80GB, gpusPerNode: 2, nodes: [n9], layout: whole}
  mig-fleet:prices: {H100-80GB: 2.50}
"""
URL = "https://prometheus.example.com"
MONITORING = Path("docs/reference/monitoring.md").read_text("utf-8")
Advise = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Advise:
    """Runs the command on a stack file and a Prometheus in memory."""

    def ask(source: Recorded, *words: str, stack: str = STACK, url: str = URL) -> Result:
        monkeypatch.setattr(advise, "Prometheus", lambda _access: source)
        path = tmp_path / "stack.yaml"
        path.write_text(stack)
        result = CliRunner().invoke(main, ["advise", str(path), "--prometheus", url, *words], prog_name="mig-fleet")
        assert isinstance(result.exception, SystemExit | None), result.exception
        assert path.read_text() == stack, "the stack file is never written"
        return result

    return ask


def quiet(busy: float = 0.4) -> list[Measurement]:
    return [*of_nodes("3g.40gb", 2, ["n1", "n2"], busy=busy)]


def data(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_the_change_is_a_diff_of_the_stack_file_with_what_it_saves(run: Advise) -> None:
    result = run(Recorded(quiet()))
    assert result.exit_code == ExitCode.SUCCESS
    assert "-    halves: {gpu: H100-80GB, all: {3g.40gb: 2}}  # large\n" in result.stdout
    assert "+    halves: {gpu: H100-80GB, all: {2g.20gb: 3}}  # large\n" in result.stdout
    assert "each GPU: 2x 3g.40gb  smaller, confidence high: 2g.20gb is large enough" in result.stdout
    assert "pods must then request nvidia.com/mig-2g.20gb" in result.stdout
    assert "saves 1.33 of 4 GPUs for the same number of slices, $3.33 per hour" in result.stdout
    assert "unused" not in result.stdout.partition("---")[0], "no pool has that layout"


def test_the_same_as_json(run: Advise) -> None:
    found = data(run(Recorded(quiet(), nodes={"selected": ["n5"]}), "--json"))
    halves, mixed = found["layouts"]
    assert halves["after"] == [{"gpus": None, "profiles": {"2g.20gb": 3}}]
    assert halves["savedGpus"] == pytest.approx(4 / 3) and halves["savedPerHourUsd"] == pytest.approx(10 / 3)
    assert halves["inDiff"] is True and found["diff"].count("\n+ ") == 1
    assert mixed["after"] is None and mixed["nodes"] == 1
    assert {each["outcome"] for each in mixed["findings"]} == {"heterogeneous"}


def test_slices_of_a_pool_with_a_selector_are_those_of_the_nodes_that_prometheus_knows(run: Advise) -> None:
    stack = STACK.replace("layout: mixed", "layout: halves").replace("    mixed:", "    other:")
    source = Recorded([*of_nodes("3g.40gb", 2, ["n1", "n2", "n5"], busy=0.4)], nodes={"selected": ["n5"]})
    found = data(run(source, "--json", stack=stack))
    assert found["layouts"][0]["nodes"] == 3 and found["layouts"][0]["pools"] == ["serving", "selected"]
    assert nodes_of("selected") in source.asked


def test_a_gpu_without_a_price_saves_gpus(run: Advise) -> None:
    result = run(Recorded(quiet()), stack=STACK.replace("2.50", "1").replace("H100-80GB: 1}", "A100-80GB: 1}"))
    assert "saves 1.33 of 4 GPUs for the same number of slices\n" in result.stdout
    assert "H100-80GB has no price in the stack file" in result.stdout
    assert "$" not in result.stdout


def test_a_layout_that_cannot_be_edited_is_printed_whole(run: Advise) -> None:
    stack = STACK.replace("halves: {gpu", "halves: &h {gpu") + "  mig-fleet:operator: {values: {x: {gpu: 1}}}\n"
    stack = stack.replace("unused: {gpu: H100-80GB, all: {3g.40gb: 2}}", "unused: *h")
    result = run(Recorded(quiet()), stack=stack)
    assert "aliases or spellings that no edit is sure to keep" in result.stdout
    assert "    halves: {gpu: H100-80GB, all: {2g.20gb: 3}}\n" in result.stdout
    assert "---" not in result.stdout


def test_nothing_known_has_a_status_of_its_own(run: Advise) -> None:
    result = run(Recorded())
    assert result.exit_code == ExitCode.UNKNOWN
    assert "not-enough-history, confidence low: 0% of the slices' time was measured" in result.stdout
    assert "selected: 0 nodes, 0 GPUs" in result.stdout, "Prometheus knows none of the pool with a selector"


def test_slices_that_keep_their_size_are_an_answer(run: Advise) -> None:
    result = run(Recorded(quiet(busy=0.7)))
    assert result.exit_code == ExitCode.SUCCESS
    assert "keep, confidence high: no cheaper profile is large enough" in result.stdout
    assert "---" not in result.stdout


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"busy": 0.99}, "saturated, confidence high: the compute of a slice is in full use; a larger profile may"),
        (
            {"memory": 36 * GIB, "memory_mean": 36 * GIB, "memory_ratio": 0.9},
            "preallocated, confidence high: a server reserves its memory at the start; size it by the server's own",
        ),
    ],
)
def test_what_is_not_known_is_printed(run: Advise, changes: dict[str, Any], words: str) -> None:
    assert words in run(Recorded([*of_nodes("3g.40gb", 2, ["n1", "n2"], **changes)])).stdout


def test_without_the_rules_the_remedy_is_printed(run: Advise) -> None:
    result = run(Recorded(rules=False))
    assert result.exit_code == ExitCode.FAILURE and result.stdout == ""
    assert "Error: the rules of mig-fleet are not loaded in this Prometheus" in result.stderr


def test_an_error_of_prometheus_is_one_sentence(run: Advise, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Recorded()
    monkeypatch.setattr(source, "query", lambda _promql: (_ for _ in ()).throw(PrometheusError("it is away")))
    result = run(source)
    assert (result.exit_code, result.stderr) == (ExitCode.FAILURE, "Error: it is away\n")


def test_warnings_of_prometheus_are_printed(run: Advise) -> None:
    assert "  Prometheus warns: a store is away\n" in run(Recorded(warnings=["a store is away"])).stdout


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--window", "1h"], "--window '1h': must be 1d to 90d, such as 14d, 2w or 36h"),
        (["--token-file", "absent"], "absent: cannot be read"),
        (["--ca", "absent"], "absent: is not a file of certificates"),
        (["--prometheus", "example.com"], "is not a URL such as https://prometheus.example.com"),
    ],
)
def test_arguments_that_cannot_be_used_are_usage_errors(run: Advise, words: list[str], why: str) -> None:
    result = run(Recorded(), *words)
    assert result.exit_code == ExitCode.USAGE and why in result.stderr


def test_a_stack_file_with_mistakes_is_not_asked_about(run: Advise) -> None:
    source = Recorded(quiet())
    result = run(source, stack=STACK.replace("3g.40gb: 2", "3g.40gb: 3"))
    assert result.exit_code == ExitCode.FAILURE and "layouts.unused" in result.stderr
    assert source.asked == []


def test_no_output_has_the_token(run: Advise, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "s3cret-t0ken")
    for words in ([], ["--json"], ["--window", "x"]):
        assert "s3cret" not in run(Recorded(quiet()), *words).output


EXAMPLE = """\
config:
  mig-fleet:layouts:
    inference: {gpu: H100-80GB, all: {3g.40gb: 2}}  # one model per slice
  mig-fleet:pools:
    inference: {gpu: H100-80GB, gpusPerNode: 8, nodes: [gpu-1, gpu-2], layout: inference}
  mig-fleet:prices: {H100-80GB: 2.50}
  mig-fleet:cluster: {context: prod-gpu}
"""


def test_the_output_on_the_page_is_that_of_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (shown,) = re.findall(r"```text\n(Advice about.*?)```", MONITORING, re.DOTALL)
    changes = {"busy": 0.41, "bandwidth": 0.22, "memory": 12.5 * GIB, "with_pod": 0.96}
    measured = [*of_nodes("3g.40gb", 2, ["gpu-1", "gpu-2"], range(8), **changes)]
    monkeypatch.setattr(advise, "Prometheus", lambda _access: Recorded(measured))
    monkeypatch.chdir(tmp_path)
    Path("stacks").mkdir()
    Path("stacks/Pulumi.prod.yaml").write_text(EXAMPLE)
    assert CliRunner().invoke(main, ["advise", "--stack", "prod", "--prometheus", URL]).stdout == shown


def test_every_outcome_is_on_the_page() -> None:
    assert [outcome for outcome in Outcome if f"| `{outcome}` |" not in MONITORING] == []


def test_a_name_that_a_terminal_would_obey_is_escaped(run: Advise, tmp_path: Path) -> None:
    evil = "evil\\x1b[2K\\u202egpj"
    stack = STACK.replace("    serving:", f'    "{evil}":')
    result = run(Recorded(quiet()), stack=stack)
    assert result.exit_code == ExitCode.SUCCESS
    assert {character for character in result.output if not character.isprintable()} <= {"\n"}
    path = tmp_path / "x\n\x1b[2K.yaml"
    path.write_text(STACK)
    done = CliRunner().invoke(main, ["advise", str(path), "--prometheus", URL], color=True)
    assert r"x\n\x1b[2K.yaml" in done.output and "\x1b" not in done.output


def test_the_help_and_the_page_state_the_bound() -> None:
    bound = f"{READ_WITHIN_S:g} seconds"
    assert bound in re.sub(r"\s+", " ", CLICKS["mig-fleet advise"].help or "")
    assert bound in PAGE

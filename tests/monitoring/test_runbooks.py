"""Each alert has a runbook whose commands can be run, and whose table has its thresholds."""

import json
import re
from itertools import pairwise
from typing import Any

import click
import promql_parser
import pytest
import yaml
from pydantic import BaseModel

from mig_fleet.cli.__main__ import main
from mig_fleet.model import labels
from mig_fleet.monitoring import series
from mig_fleet.monitoring.alerts import alert_groups
from mig_fleet.monitoring.documentation import PAGE
from mig_fleet.monitoring.rules import Alert
from mig_fleet.observed.operands import DAEMONS
from mig_fleet.stack_file.alert_settings import Alerts
from tests.monitoring.alert_cases.case import DEFAULTS, SINGLE
from tests.monitoring.promql_trees import names
from tests.monitoring.runbooks import FILE, Command, anchors, runbook_commands, sections

ALERTS = [rule for group in alert_groups(SINGLE, DEFAULTS, PAGE) for rule in group.rules if isinstance(rule, Alert)]
COMMANDS = runbook_commands()
FILLED = {"STACK": "local", "NODE": "n1", "NAMESPACE": "team-a", "POD": "p-0", "PROMETHEUS": "http://localhost:9090"}
RECORDED = {value for name, value in vars(series).items() if name.isupper() and isinstance(value, str)}
FROM_KUBE_STATE_METRICS = {"kube_node_labels", "kube_node_annotations"}
OFFERED = {"kube_node_status_allocatable"}
RAW = {"MIGNodeLabelsNotExported": FROM_KUBE_STATE_METRICS | OFFERED, "MIGSlicesNotOffered": OFFERED}
"""What is recorded nowhere: that nothing can be recorded, and resources that are no slices."""
VERBS = {
    "get": {"pods", "pod", "node", "nodes", "events"},
    "describe": {"pod", "node"},
    "logs": set(),
    "taint": {"nodes"},
    "drain": set(),
    "uncordon": set(),
    "delete": {"pod"},
}
"""Verb of kubectl → the resources that runbooks may use with it; empty for a verb that takes a name only."""


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    assert list(sections()) and set(sections()) == {alert.alert for alert in ALERTS}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.alert)
def test_an_alert_links_to_its_runbook_and_says_what_to_run(alert: Alert) -> None:
    page, _, anchor = alert.annotations["runbook_url"].partition("#")
    assert page.endswith(str(FILE)) and anchor in anchors()
    assert alert.labels.keys() == {"severity"} and alert.labels["severity"] in ("info", "warning", "critical")
    assert all(alert.annotations[key] for key in ("summary", "description"))
    run = Command(alert.alert, re.sub(r"\{\{ \$labels\.(\w+) \}\}", r"\1-0", alert.annotations["run"]))
    assert run.is_read_only, "the first command only looks"
    check(run)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.text[:60])
def test_a_command_of_a_runbook_can_be_run(command: Command) -> None:
    check(command)


def check(command: Command) -> None:
    program, *arguments = command.filled(FILLED)
    CHECKS[program](command.verb, arguments)


def check_mig_fleet(_: str, arguments: list[str]) -> None:
    """Click reads the arguments, and nothing runs."""
    parent = click.Context(main, info_name="mig-fleet")
    name, found, rest = main.resolve_command(parent, arguments)
    assert name and found
    found.make_context(name, rest, parent)


def check_promtool(verb: str, arguments: list[str]) -> None:
    assert (verb, arguments[1]) == ("query", "instant")
    assert arguments[2] == FILLED["PROMETHEUS"] and len(arguments) == 4
    promql_parser.parse(arguments[3])
    assert names(arguments[3]) <= RECORDED | FROM_KUBE_STATE_METRICS | {"up"}


def check_pulumi(verb: str, arguments: list[str]) -> None:
    assert verb in ("preview", "up") and set(arguments[1:]) <= {"--diff", "--stack", "local"}


def check_kubectl(verb: str, arguments: list[str]) -> None:
    after = arguments[arguments.index(verb) + 1 :]
    assert not VERBS[verb] or after[0] in VERBS[verb], f"{after[0]} is none of {VERBS[verb]}"
    for option, value in pairwise(after):
        if option == "-l":
            assert value.partition("=")[::2] in {("app", app) for app in DAEMONS}
        if option == "-L":
            assert set(value.split(",")) <= {labels.CONFIG, labels.STATE}
    if verb == "taint":
        assert after[2].removesuffix("-") in labels.OUR_TAINTS


CHECKS = {"mig-fleet": check_mig_fleet, "promtool": check_promtool, "pulumi": check_pulumi, "kubectl": check_kubectl}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.alert)
def test_a_runbook_begins_with_a_command_that_only_looks(alert: Alert) -> None:
    found = [command for command in COMMANDS if command.alert == alert.alert]
    assert found and found[0].is_read_only


def test_a_command_of_an_unknown_form_is_refused() -> None:
    """Otherwise the test above would prove nothing."""
    for text in (
        "mig-fleet status --alive",
        "mig-fleet stats",
        "promtool query instant PROMETHEUS 'sum by node (mig:xid)'",
        "promtool query instant PROMETHEUS 'mig:no_such:series'",
        "kubectl get gpus",
        "kubectl get pods -l app=nvidia-no-such-daemon",
        "kubectl taint nodes NODE mig-fleet.dev/other-",
        "pulumi destroy",
    ):
        with pytest.raises((AssertionError, click.UsageError, ValueError, KeyError)):
            check(Command("MIGSliceIdle", text))


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.alert)
def test_a_runbook_has_every_key_of_its_threshold_with_its_default(alert: Alert) -> None:
    key = alert.alert[3].lower() + alert.alert[4:]
    field = next(field for field in Alerts.model_fields.values() if field.alias == key)
    default = field.default
    assert isinstance(default, BaseModel)
    rows = re.findall(r"^\| `(\w+)` \| `(.*?)` \|", sections()[alert.alert], re.MULTILINE)
    assert [name for name, _ in rows] == [field.alias for field in type(default).model_fields.values()]
    written: dict[str, Any] = {name: yaml.safe_load(value) for name, value in rows}
    read = type(default).model_validate({name: value for name, value in written.items() if value is not None})
    assert read == default, f"the defaults are {json.dumps(default.model_dump(by_alias=True))}"


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.alert)
def test_an_alert_reads_only_recorded_series(alert: Alert) -> None:
    assert names(alert.expr) <= RECORDED | RAW.get(alert.alert, set())

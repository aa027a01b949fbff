"""A node whose annotations, labels, quantities or report are not what they must be is that node's failure alone."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mig_fleet.cluster.client import Cluster
from mig_fleet.failures import CleanError
from mig_fleet.model import labels
from mig_fleet.observed.snapshot import attempt_of, invalidate, observe
from mig_fleet.rollout import recovery
from mig_fleet.rollout.context import RolloutContext
from mig_fleet.rollout.reconfigure import start_attempt
from mig_fleet.rollout.wave import Wave
from tests.memory import fixtures
from tests.memory.fleet import DENSE, FAILS, PROBES, WIDE, Fleet
from tests.memory.wave import ASSIGNMENT, VERIFICATION, a_wave, roll_out

HOSTILE = "\x1b[2K\rverified\x1b]52;c;cm0=\x07\u202e"
REPORT = (PROBES, f"{labels.REPORT_PREFIX}n1")


def failure(act: Callable[[], object]) -> str:
    """The message of the clean error that ``act`` raises; empty if it raises none."""
    try:
        act()
    except CleanError as exc:
        return str(exc)
    return ""


def annotate(fleet: Fleet, key: str, value: str) -> None:
    fleet.nodes["n1"]["metadata"]["annotations"][key] = value


# Attempts


@pytest.mark.parametrize("attempt", ["²", "٣", "-1", "1e9", "9" * 5000, "", HOSTILE])
def test_an_attempt_that_is_no_number_is_replaced_and_printed(
    fleet: Fleet, capsys: pytest.CaptureFixture[str], attempt: str
) -> None:
    annotate(fleet, labels.ATTEMPT, attempt)
    fleet.report("n1", attempt=attempt_of({labels.ATTEMPT: attempt}))
    roll_out(a_wave("n1", "n2"))
    assert fleet.isolated() == []
    assert fleet.ownership_annotations("n1")["attempt"] == "1"
    printed = capsys.readouterr().out
    assert "pool-wave-0: n1: annotation mig-fleet.dev/attempt is '" in printed
    assert printed.replace("\n", "").isprintable()


def test_the_next_attempt_is_one_that_neither_the_node_nor_its_report_has(fleet: Fleet) -> None:
    annotate(fleet, labels.ATTEMPT, "²")
    fleet.report("n1", attempt="41")
    roll_out(a_wave("n1"))
    assert fleet.ownership_annotations("n1")["attempt"] == "42"


# One node's failure


def test_whatever_one_node_raises_is_its_failure_and_the_others_go_on(fleet: Fleet) -> None:
    def act(_cluster: Cluster, name: str) -> str:
        return {"n2": "done"}[name]

    done, failed = RolloutContext(Wave.from_properties(a_wave("n1", "n2"))).on_each(["n1", "n2"], act)
    assert done == {"n2": "done"}
    assert re.fullmatch(
        r"KeyError: 'n1' \(test_hostile_nodes\.py:\d+\); this is a bug in mig-fleet, please report it", failed["n1"]
    )


def test_an_unexpected_failure_before_the_label_restores_scheduling(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError(HOSTILE)

    monkeypatch.setattr("mig_fleet.rollout.reconfigure.await_propagation", fail)
    text = failure(lambda: ASSIGNMENT.create(a_wave("n1", "n2")))
    assert "no node was relabelled: ValueError: \\x1b[2K" in text
    assert "scheduling restored: n1, n2" in text
    assert fleet.isolated() == []


def test_an_unexpected_failure_after_the_label_names_the_isolated_nodes_and_the_command(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("odd")

    wave = a_wave("n1", "n2")
    ASSIGNMENT.create(wave)
    monkeypatch.setattr("mig_fleet.rollout.verify.wait_for_convergence", fail)
    text = failure(lambda: VERIFICATION.create(wave))
    assert "ValueError: odd" in text
    assert "still isolated: n1, n2; restore scheduling with `kubectl taint nodes n1 n2 mig-fleet.dev/reconfig" in text


def test_an_unexpected_failure_of_a_remedy_is_its_nodes_and_the_next_node_gets_one(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = start_attempt

    def fail_on_n1(cluster: Cluster, node: Any, name: str, *rest: Any) -> None:
        if name == "n1":
            raise ValueError("odd")
        start(cluster, node, name, *rest)

    wave = a_wave("n1", "n2")
    fleet.manager_outcomes |= {"n1": [FAILS], "n2": [FAILS]}
    ASSIGNMENT.create(wave)
    monkeypatch.setattr(recovery, "start_attempt", fail_on_n1)
    text = failure(lambda: VERIFICATION.create(wave))
    assert "  n1: not restarted MIG Manager: ValueError: odd" in text
    assert "  n2: restarted MIG Manager" in text


def test_a_node_that_cannot_return_to_its_last_layout_hinders_no_other(fleet: Fleet) -> None:
    before = a_wave("n1", "n2")
    roll_out(before)
    annotate(fleet, labels.VERIFIED_CONFIG, HOSTILE)
    fleet.manager_outcomes["n2"] = [FAILS, "succeeds"]
    wave = a_wave("n1", "n2", layout=WIDE, on_failure="rollback", recovery=False)
    ASSIGNMENT.update("pool-wave-0", before, wave)
    text = failure(lambda: VERIFICATION.update("pool-wave-0", before, wave))
    assert fleet.configs() == {"n1": WIDE.config_name, "n2": DENSE.config_name}
    assert fleet.isolated() == ["n1"]
    assert "Still isolated: n1 (" in text and r"\x1b[2K" in text
    assert text.replace("\n", "").isprintable()


# Quantities and shapes


@pytest.mark.parametrize("quantity", ["1e99999999", "many", "²", "-1", "9" * 5000, HOSTILE])
def test_a_quantity_that_is_none_is_a_difference_of_its_node(fleet: Fleet, quantity: str) -> None:
    wave = a_wave("n1", "n2", recovery=False)
    roll_out(wave)
    fleet.nodes["n1"]["status"]["allocatable"]["nvidia.com/mig-1g.10gb"] = quantity
    text = failure(lambda: VERIFICATION.update("pool-wave-0", wave, wave))
    assert "allocatable stale: n1: nvidia.com/mig-1g.10gb: the kubelet offers '" in text
    assert "which must be a quantity such as 8 or 1k, at most 2^63-1" in text
    assert ": n2: " not in text
    assert text.replace("\n", "").isprintable()


def test_a_node_of_an_unknown_shape_hides_no_other(fleet: Fleet) -> None:
    fleet.nodes["n1"]["status"]["allocatable"] = {"nvidia.com/gpu": 8}
    invalidate()
    seen = observe({}, PROBES).nodes
    assert seen["n1"].malformed.startswith("Expected `str`, got `int`") and not seen["n1"].ready
    assert seen["n2"].ready
    text = failure(lambda: ASSIGNMENT.create(a_wave("n1", "n2")))
    assert "node 'n1': could not be read: the API server's answer about it is malformed: Expected `str`" in text
    assert fleet.isolated() == []


def test_what_a_node_records_is_printable(fleet: Fleet) -> None:
    for key in labels.OWNERSHIP_ANNOTATIONS:
        annotate(fleet, key, HOSTILE)
    fleet.nodes["n1"]["metadata"]["annotations"]["other.example"] = "x" * 100_000
    fleet.nodes["n1"]["metadata"]["labels"]["nvidia.com/mig-1g.10gb.count"] = HOSTILE
    invalidate()
    node = observe({}, PROBES).nodes["n1"]
    assert "".join((*node.labels.values(), *node.annotations.values())).isprintable()
    assert all(key.startswith("mig-fleet.dev/") for key in node.annotations)
    check = ASSIGNMENT.check(a_wave("n1"), a_wave("n1"))
    assert "".join(check.inputs["drift"]).isprintable()


# Anything

TEXTS = st.one_of(
    st.text(st.characters(codec=None, exclude_categories=()), max_size=20),
    st.sampled_from(["²", "٣", "1", "true", "success", "failed", "pending", "9" * 5000, HOSTILE, "all-disabled"]),
    st.sampled_from([DENSE.config_name, WIDE.config_name, "pool-wave-0", "1e99999999", "x" * 3000]),
)
VALUES = st.one_of(
    TEXTS, st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.just([]), st.just({}), st.just([[]])
)
ANNOTATIONS = (*labels.OWNERSHIP_ANNOTATIONS, labels.CORDONED)
LABELS = (
    *(labels.CAPABLE, labels.STRATEGY, labels.PRODUCT, labels.COUNT, labels.STATE, labels.CONFIG),
    "nvidia.com/mig-1g.10gb.count",
    "nvidia.com/mig-\x1b.count",
)
RESOURCES = ("nvidia.com/gpu", "nvidia.com/mig-1g.10gb", "nvidia.com/mig-\x1b")


def paths(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(inner for key, value in items for inner in paths(value, (*path, key)))]


@st.composite
def corruptions(draw: st.DrawFn) -> Callable[[Fleet], None]:
    """Changes some of the things that the owner of ``n1`` may write."""
    found = draw(
        st.lists(
            st.one_of(
                st.tuples(st.just("annotations"), st.sampled_from(ANNOTATIONS), TEXTS),
                st.tuples(st.just("labels"), st.sampled_from(LABELS), TEXTS),
                st.tuples(st.just("allocatable"), st.sampled_from(RESOURCES), TEXTS),
                st.tuples(st.just("report"), st.integers(0, 10_000), VALUES),
                st.tuples(st.just("time"), st.just(0), TEXTS),
            ),
            min_size=1,
            max_size=8,
        )
    )

    def corrupt(fleet: Fleet) -> None:
        node = fleet.nodes["n1"]
        for what, where, value in found:
            if what == "report":
                document = [json.loads(fleet.config_maps[REPORT]["data"][labels.REPORT_KEY])]
                *steps, last = (all_paths := paths(document)[1:])[where % len(all_paths)]
                target: Any = document
                for step in steps:
                    target = target[step]
                target[last] = value
                fleet.config_maps[REPORT]["data"][labels.REPORT_KEY] = json.dumps(document[0])
            elif what == "time":
                fleet.config_maps[REPORT]["metadata"]["managedFields"] = [{"manager": labels.PROBE, "time": value}]
            else:
                part = node["status"] if what == "allocatable" else node["metadata"]
                part[what] = {**part[what], where: value}

    return corrupt


@settings(
    max_examples=min(60, settings().max_examples),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(early=st.none() | corruptions(), late=st.none() | corruptions())
def test_an_update_of_a_node_with_any_values_ends_with_one_clean_error_that_names_every_isolated_node(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    early: Callable[[Fleet], None] | None,
    late: Callable[[Fleet], None] | None,
) -> None:
    with monkeypatch.context() as patch:
        fleet: Fleet = fixtures.fleet.__wrapped__(patch)  # type: ignore[attr-defined]
        wave = a_wave("n1", "n2")
        if early:
            early(fleet)
        ASSIGNMENT.check({}, wave)
        text = failure(lambda: ASSIGNMENT.create(wave))
        if not text:
            if late:
                late(fleet)
            invalidate()
            ASSIGNMENT.check(wave, wave)
            VERIFICATION.check(wave, wave)
            text = failure(lambda: VERIFICATION.create(wave))
        assert "bug in mig-fleet" not in text
        assert text.replace("\n", "").isprintable()
        assert capsys.readouterr().out.replace("\n", "").isprintable()
        isolated = fleet.isolated()
        restore = re.search(r"kubectl taint nodes ([\w ]+) mig-fleet\.dev/reconfiguring-", text)
        assert not isolated or (restore and set(isolated) <= set(restore[1].split()))
        assert fleet.configs()["n2"] == DENSE.config_name or "n1" in text, "only n1 can be a reason against the change"

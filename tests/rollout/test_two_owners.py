"""Two stacks with waves of the same name on one fleet: each changes only the nodes that record it."""

import pulumi
import pytest

from mig_fleet.model import labels
from mig_fleet.observed.snapshot import invalidate
from mig_fleet.rollout.assign import AssignmentFailed
from mig_fleet.rollout.verify import VerificationFailed
from tests.memory.fleet import DENSE, OPERATOR, WIDE, Fleet
from tests.memory.wave import ASSIGNMENT, VERIFICATION, Props, a_wave, outputs, roll_out

OURS, THEIRS = "aaaaaaaaaaaa acme/mig-fleet/prod", "bbbbbbbbbbbb acme/gpus/prod"
RENAMED = "aaaaaaaaaaaa acme/mig-fleet/europe"


def owners(fleet: Fleet) -> dict[str, str | None]:
    return {name: fleet.ownership_annotations(name).get("owner") for name in fleet.nodes}


def record_in_file(fleet: Fleet, owner: str) -> None:
    fleet.config_maps[OPERATOR, labels.LAYOUTS_CONFIG_MAP]["metadata"]["annotations"] = {labels.OWNER: owner}


def an_unknown() -> object:
    """What Pulumi passes for an output of a resource that is not created yet."""
    return pulumi.output.Unknown()  # type: ignore[no-untyped-call]  # not annotated in the SDK


def check(olds: Props, news: Props) -> Props:
    invalidate()
    found = ASSIGNMENT.check(olds, news)
    assert found.failures == []
    return found.inputs


def test_a_wave_records_its_owner_and_removes_it_with_the_other_annotations(fleet: Fleet) -> None:
    wave = a_wave("n1", "n2", owner=OURS)
    roll_out(wave)
    assert owners(fleet) == {"n1": OURS, "n2": OURS}
    assert "drift" not in check(wave, wave)
    ASSIGNMENT.delete("pool-wave-0", wave)
    assert fleet.ownership_annotations("n1") == {}


def test_nodes_of_another_stack_are_drift_and_are_taken_over_without_being_reconfigured(fleet: Fleet) -> None:
    roll_out(a_wave("n1", "n2", owner=THEIRS))
    fleet.clear_requests()
    ours = a_wave("n1", "n2", owner=OURS)
    inputs = check(ours, ours)
    assert inputs["drift"] == [
        f"node taken over: {name}: is owned by wave pool-wave-0 of stack acme/gpus/prod, expected pool-wave-0"
        for name in ("n1", "n2")
    ]
    assert ASSIGNMENT.diff("id", ours, inputs).changes is True
    ASSIGNMENT.update("id", ours, inputs)
    assert owners(fleet) == {"n1": OURS, "n2": OURS}
    assert fleet.written_configs() == []
    assert fleet.ownership_annotations("n1")["previous-config"] == "all-disabled", "from before the first of both"


def test_a_wave_of_another_stack_releases_no_node_that_was_taken_over(fleet: Fleet) -> None:
    theirs = a_wave("n1", "n2", owner=THEIRS, on_delete="disable")
    roll_out(theirs)
    ours = a_wave("n1", owner=OURS)
    ASSIGNMENT.create(ours)
    fleet.clear_requests()
    ASSIGNMENT.delete("pool-wave-0", theirs)
    assert fleet.written_nodes() == {"n2"}
    assert owners(fleet) == {"n1": OURS, "n2": None}
    assert fleet.configs() == {"n1": DENSE.config_name, "n2": "all-disabled"}


def test_once_the_layout_file_records_another_stack_a_deleted_wave_changes_no_node_at_all(fleet: Fleet) -> None:
    theirs = a_wave("n1", "n2", owner=THEIRS, on_delete="disable")
    roll_out(theirs)
    record_in_file(fleet, OURS)
    fleet.clear_requests()
    with pytest.raises(AssignmentFailed, match="the cluster is owned by stack acme/mig-fleet/prod") as refused:
        ASSIGNMENT.delete("pool-wave-0", theirs)
    assert "`pulumi stack rm --force --preserve-config acme/gpus/prod`" in str(refused.value)
    assert fleet.writes() == []


@pytest.mark.parametrize("owner", [THEIRS, ""], ids=["a stack that lost the cluster", "a program without an owner"])
def test_a_wave_changes_no_node_of_a_cluster_whose_layout_file_records_another_stack(fleet: Fleet, owner: str) -> None:
    """With `--target` Pulumi does not check the cluster's owner."""
    record_in_file(fleet, OURS)
    for wave in (a_wave("n1", "n2", owner=owner), a_wave("n1", "n2", owner=owner, held=True)):
        with pytest.raises(AssignmentFailed, match="the cluster is owned by stack acme/mig-fleet/prod"):
            ASSIGNMENT.create(wave)
    with pytest.raises(VerificationFailed, match="the cluster is owned by stack acme/mig-fleet/prod"):
        VERIFICATION.create(a_wave("n1", "n2", owner=owner))
    assert fleet.writes() == []


def test_a_renamed_stack_writes_its_new_name_and_nothing_else(fleet: Fleet) -> None:
    before, after = a_wave("n1", "n2", owner=OURS), a_wave("n1", "n2", owner=RENAMED)
    roll_out(before)
    inputs = check(before, after)
    assert "drift" not in inputs
    assert ASSIGNMENT.diff("id", before, inputs).changes is True
    attempt = fleet.ownership_annotations("n1")["attempt"]
    stored = outputs(ASSIGNMENT.update("id", before, inputs))
    assert owners(fleet) == {"n1": RENAMED, "n2": RENAMED}
    assert fleet.ownership_annotations("n1")["attempt"] == attempt
    assert ASSIGNMENT.diff("id", stored, check(stored, after)).changes is False
    assert VERIFICATION.diff("id", before, after).changes is False, "there is nothing to verify"


def test_a_wave_that_waits_gets_the_new_name_too(fleet: Fleet) -> None:
    before = a_wave("n1", "n2", owner=OURS)
    roll_out(before)
    waiting = a_wave("n1", "n2", owner=RENAMED, layout=WIDE, held=True)
    inputs = check(before, waiting)
    ASSIGNMENT.update("id", before, inputs)
    assert owners(fleet) == {"n1": RENAMED, "n2": RENAMED}
    assert set(fleet.configs().values()) == {DENSE.config_name}


def test_a_program_without_an_owner_works_as_before(fleet: Fleet) -> None:
    wave = a_wave("n1", "n2")
    roll_out(wave)
    assert owners(fleet) == {"n1": None, "n2": None}
    assert "drift" not in check(wave, wave)
    ASSIGNMENT.delete("pool-wave-0", wave)
    assert fleet.ownership_annotations("n1") == {}


def test_a_program_without_an_owner_does_not_release_the_nodes_of_a_stack(fleet: Fleet) -> None:
    roll_out(a_wave("n1", "n2", owner=THEIRS))
    fleet.clear_requests()
    ASSIGNMENT.delete("pool-wave-0", a_wave("n1", "n2"))
    assert fleet.writes() == []


def test_a_stack_without_records_is_updated_once_and_keeps_its_slices(fleet: Fleet) -> None:
    """The state and the nodes of a stack from before there were owners."""
    before = {key: value for key, value in a_wave("n1", "n2").items() if key != "owner"}
    roll_out(before)
    now = a_wave("n1", "n2", owner=OURS)
    inputs = check(before, now)
    assert not {"drift", "plannedChanges"} & inputs.keys()
    assert ASSIGNMENT.diff("id", before, inputs).changes is True
    fleet.clear_requests()
    ASSIGNMENT.update("id", before, inputs)
    assert owners(fleet) == {"n1": OURS, "n2": OURS}
    assert fleet.written_configs() == []


def test_the_first_preview_shows_planned_changes_although_the_owner_is_unknown(fleet: Fleet) -> None:
    """Pulumi does not know the outputs of a resource that is not created yet."""
    unknown = an_unknown()
    wave = {**a_wave("n1", "n2"), "owner": unknown}
    inputs = check({}, wave)
    assert inputs["owner"] is unknown
    assert inputs["plannedChanges"] == check({}, a_wave("n1", "n2"))["plannedChanges"]
    assert VERIFICATION.check({}, wave).inputs["owner"] is unknown


def test_drift_is_shown_while_the_owner_is_unknown(fleet: Fleet) -> None:
    wave = a_wave("n1", "n2", owner=OURS)
    roll_out(wave)
    fleet.label("n1", labels.CONFIG, "their-own")
    inputs = check(wave, {**wave, "owner": an_unknown()})
    assert inputs["drift"] == [
        f"config changed: n1: carries config 'their-own', expected '{DENSE.config_name}'",
    ]


def test_any_other_unknown_input_still_prevents_the_check(fleet: Fleet) -> None:
    unknown = an_unknown()
    assert "plannedChanges" not in check({}, {**a_wave("n1"), "owner": unknown, "cluster": {"context": unknown}})


def test_a_stack_without_a_name_is_named_by_its_id_and_a_wave_without_a_name_as_such(fleet: Fleet) -> None:
    roll_out(a_wave("n1", owner="0a1b"))
    ours = a_wave("n1", owner=OURS)
    (drift,) = check(ours, ours)["drift"]
    assert drift == "node taken over: n1: is owned by wave pool-wave-0 of stack 0a1b, expected pool-wave-0"
    fleet.nodes["n1"]["metadata"]["annotations"][labels.WAVE] = ""
    (drift,) = check(ours, ours)["drift"]
    assert drift.startswith("node taken over: n1: is owned by wave without a name of stack 0a1b, expected")

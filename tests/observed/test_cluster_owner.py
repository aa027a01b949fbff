"""Whose cluster it is: by the layout file, else by the nodes; by the id, and not by the name of the stack."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mig_fleet.model import labels
from mig_fleet.observed.owners.cluster_owner import (
    Owner,
    file_owner,
    forget_command,
    node_owner,
    not_ours,
    other_owners,
    owner_conflicts,
)
from mig_fleet.observed.owners.ownership import (
    belongs_to_another_stack,
    belongs_to_another_wave,
    is_owned_by,
    owned_by,
    ownership_annotations,
)
from mig_fleet.observed.snapshot import Node

OURS = Owner("aaaaaaaaaaaa", "acme/mig-fleet/prod")
THEIRS = Owner("bbbbbbbbbbbb", "acme/gpus/prod")
owners = st.builds(Owner, st.text("0123456789abcdef", min_size=12, max_size=12), st.sampled_from(["a/b/c", "a/b/d"]))


def a_node(name: str = "n1", owner: Owner | None = None, wave: str | None = "pool-wave-0") -> Node:
    annotations = {labels.WAVE: wave} if wave else {}
    return Node(name, {}, annotations | ({labels.OWNER: str(owner)} if owner else {}), {}, None)


def a_file(owner: Owner | None = None) -> dict[str, Any]:
    return {"metadata": {"annotations": {labels.OWNER: str(owner)} if owner else {}}, "data": {}}


@given(owners)
def test_a_record_reads_back_as_it_was_written(owner: Owner) -> None:
    assert Owner.parse(str(owner)) == file_owner(a_file(owner)) == node_owner(a_node(owner=owner)) == owner


@pytest.mark.parametrize("config_map", [None, {}, {"metadata": {}}, {"metadata": {"annotations": None}}, a_file()])
def test_a_file_without_a_record_has_no_owner(config_map: dict[str, Any] | None) -> None:
    assert file_owner(config_map) is None
    assert not_ours(str(OURS), config_map) == ""


def test_a_cluster_without_a_record_or_with_ours_has_no_other_owner() -> None:
    renamed = Owner(OURS.id, "acme/mig-fleet/old-name")
    for owner in (None, OURS, renamed):
        assert other_owners(OURS, a_file(owner), [a_node(owner=owner)]) == {}
    assert other_owners(OURS, None, []) == {}


def test_another_owner_is_named_with_what_records_it() -> None:
    nodes = [a_node(f"n{number}", THEIRS) for number in range(1, 6)]
    assert other_owners(OURS, a_file(THEIRS), []) == {THEIRS: "ConfigMap mig-fleet-layouts"}
    assert other_owners(OURS, a_file(THEIRS), nodes[:1]) == {THEIRS: "ConfigMap mig-fleet-layouts and node n1"}
    assert other_owners(OURS, None, nodes) == {THEIRS: "nodes n1, n2, n3 and 2 more"}, "the file may have been deleted"


def test_the_layout_file_decides_so_that_nodes_left_from_a_take_over_need_no_setting() -> None:
    assert other_owners(OURS, a_file(OURS), [a_node(owner=THEIRS)]) == {}
    assert other_owners(THEIRS, a_file(OURS), [a_node(owner=THEIRS)]) == {OURS: "ConfigMap mig-fleet-layouts"}


def test_a_conflict_names_the_owner_and_how_to_take_over() -> None:
    (text,) = owner_conflicts(OURS, "", {THEIRS: "ConfigMap mig-fleet-layouts"})
    assert text.splitlines() == [
        "the cluster is owned by stack acme/gpus/prod (bbbbbbbbbbbb), as recorded on ConfigMap mig-fleet-layouts; "
        "nothing was changed.",
        "To take the cluster over on purpose: "
        "`pulumi config set --path mig-fleet:cluster.takeOver 'bbbbbbbbbbbb acme/gpus/prod'`; "
        "in a program with arguments, the same as `takeOver` of its cluster.",
        "Previews, updates and destroys of acme/gpus/prod (bbbbbbbbbbbb) are refused from then on; there `pulumi stack "
        "rm --force --preserve-config acme/gpus/prod` forgets it without changing the cluster.",
    ]


def test_a_stack_that_was_taken_over_reads_that_first_and_how_to_forget_itself() -> None:
    (text,) = owner_conflicts(OURS, "", {THEIRS: "ConfigMap mig-fleet-layouts"}, was_owner=True)
    lines = text.splitlines()
    assert lines[1].startswith("It was taken over from this stack.")
    assert forget_command(OURS.stack) in lines[1]


def test_a_take_over_must_have_the_id_of_the_recorded_owner() -> None:
    recorded = {THEIRS: "ConfigMap mig-fleet-layouts"}
    for take_over in (str(THEIRS), THEIRS.id, f"{THEIRS.id} acme/gpus/old-name"):
        assert owner_conflicts(OURS, take_over, recorded) == []
        assert not_ours(str(OURS), a_file(THEIRS), take_over) == ""
    assert owner_conflicts(OURS, str(THEIRS), {}) == [], "after a take-over the setting may stay"
    for other in (THEIRS.stack, "cccccccccccc acme/gpus/prod"):
        (text,) = owner_conflicts(OURS, other, recorded)
        assert f"cluster.takeOver is '{other}', which is not the id of this owner." in text
        assert "takeOver 'bbbbbbbbbbbb acme/gpus/prod'`" in text
        assert not_ours(str(OURS), a_file(THEIRS), other) != ""


def test_a_file_of_another_namespace_decides_only_where_our_own_has_no_record() -> None:
    elsewhere, nodes = {"gpus": THEIRS}, [a_node(owner=THEIRS)]
    where = "ConfigMap mig-fleet-layouts in namespace gpus"
    assert other_owners(OURS, None, [], elsewhere) == {THEIRS: where}
    assert other_owners(OURS, a_file(), nodes, elsewhere) == {THEIRS: f"{where} and node n1"}
    assert other_owners(OURS, a_file(OURS), nodes, elsewhere) == {}
    assert other_owners(OURS, None, nodes, {"a": THEIRS, "b": OURS}) == {}, "the stack moves to another namespace"


def test_a_record_without_a_name_is_another_owner_and_needs_a_take_over_on_purpose() -> None:
    nameless = Owner("deadbeef0000", "")
    assert owner_conflicts(OURS, "", {nameless: "ConfigMap mig-fleet-layouts"}) != []
    file = {"metadata": {"annotations": {labels.OWNER: "deadbeef0000"}}}
    assert not_ours(str(OURS), file) != ""


def test_a_recorded_name_cannot_become_a_command_or_reach_the_terminal_as_control_characters() -> None:
    hostile = Owner.parse("bbbbbbbbbbbb a$(touch x)\x1b[2K\nb")
    assert hostile == Owner("bbbbbbbbbbbb", r"a$(touch x)\x1b[2K\nb")
    (text,) = owner_conflicts(OURS, "", {hostile: "node n1"})
    assert r"takeOver 'bbbbbbbbbbbb a$(touch x)\x1b[2K\nb'`" in text
    assert r"--preserve-config 'a$(touch x)\x1b[2K\nb'`" in text


def test_a_stack_whose_state_was_lost_reads_that_its_name_has_another_id() -> None:
    lost = Owner(THEIRS.id, OURS.stack)
    (text,) = owner_conflicts(OURS, "", {lost: "ConfigMap mig-fleet-layouts"})
    assert "the state of this stack was lost, or another backend has a stack of this name" in text
    assert owner_conflicts(OURS, str(lost), {lost: "ConfigMap mig-fleet-layouts"}) == []


def test_a_stack_that_lost_the_cluster_must_change_nothing() -> None:
    text = not_ours(str(OURS), a_file(THEIRS))
    assert "the cluster is owned by stack acme/gpus/prod (bbbbbbbbbbbb)" in text
    assert "`pulumi stack rm --force --preserve-config acme/mig-fleet/prod` forgets acme/mig-fleet/prod" in text
    assert not_ours("", a_file(THEIRS)).endswith("nothing was changed"), "a program without an owner"
    assert not_ours(str(OURS), a_file(THEIRS), str(THEIRS)) == "", "it takes the cluster over"
    assert not_ours(str(OURS), a_file(Owner(OURS.id, "renamed"))) == ""


def test_a_wave_of_the_same_name_in_another_stack_is_another_wave() -> None:
    ours, theirs = a_node("n1", OURS), a_node("n2", THEIRS)
    nodes = {node.name: node for node in (ours, theirs)}
    assert list(owned_by("pool-wave-0", nodes, (), str(OURS))) == ["n1"]
    assert list(owned_by("pool-wave-0", nodes, (), str(THEIRS))) == ["n2"]
    assert belongs_to_another_wave(theirs, "pool-wave-0", str(OURS))
    assert not belongs_to_another_wave(ours, "pool-wave-0", str(OURS))
    assert belongs_to_another_wave(ours, "pool-wave-0"), "a program without an owner"


def test_a_node_without_a_record_belongs_to_the_wave_that_it_names() -> None:
    node = a_node()
    assert is_owned_by(node, "pool-wave-0", str(OURS)) and is_owned_by(node, "pool-wave-0")
    assert not belongs_to_another_stack(node, str(OURS))
    assert not belongs_to_another_wave(a_node(wave=None, owner=THEIRS), "pool-wave-0", str(OURS)), "no wave owns it"


def test_the_record_of_a_renamed_stack_is_still_ours() -> None:
    assert is_owned_by(a_node(owner=Owner(OURS.id, "acme/mig-fleet/old-name")), "pool-wave-0", str(OURS))


@given(st.none() | owners, st.none() | owners)
def test_after_taking_ownership_a_node_belongs_to_the_wave_and_to_no_other_stack(
    before: Owner | None, now: Owner | None
) -> None:
    node, owner = a_node(owner=before, wave="other-wave-0"), str(now or "")
    written = {**node.annotations, **ownership_annotations(node, "pool-wave-0", owner)}
    after = Node("n1", {}, {key: value for key, value in written.items() if value is not None}, {}, None)
    assert is_owned_by(after, "pool-wave-0", owner)
    assert (labels.OWNER in after.annotations) == bool(owner)

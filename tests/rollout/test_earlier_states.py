"""A state of an earlier release has the nodes of a wave as a list, and the slices of each node as a mapping. It is
read, shows no difference, and has the new shape after the next update of the wave.
"""

import pytest

from mig_fleet.components.preview import check_wave
from mig_fleet.model import labels
from mig_fleet.model.reported_slices import by_node
from mig_fleet.model.wave_nodes import node_names, without_names
from mig_fleet.observed.snapshot import invalidate
from mig_fleet.rollout.wave import stored
from tests.memory.fleet import WIDE, Fleet
from tests.memory.wave import ASSIGNMENT, VERIFICATION, Props, a_wave, outputs, roll_out

SLICES = {"n1": "GPU 0-1: 7x 1g.10gb", "n2": "GPU 0-1: 7x 1g.10gb"}


def earlier(props: Props) -> Props:
    """The same properties, as an earlier release stored them."""
    found = {**without_names(props), "nodes": [*node_names(props)]}
    if "reported" in found:
        found["slices"] = by_node({"reported": found.pop("reported")})
    return found


@pytest.fixture
def verified(fleet: Fleet) -> Props:
    """The outputs of a verification by an earlier release."""
    outs = earlier(roll_out(a_wave("n1", "n2")))
    fleet.clear_requests()
    invalidate()
    assert (outs["nodes"], outs["slices"]) == (["n1", "n2"], SLICES)
    return outs


def test_a_preview_of_an_earlier_state_shows_no_difference(verified: Props) -> None:
    for provider, outs in ((ASSIGNMENT, earlier(a_wave("n1", "n2"))), (VERIFICATION, verified)):
        found = provider.check(earlier(a_wave("n1", "n2")), a_wave("n1", "n2"))
        assert found.failures == []
        assert found.inputs == stored(a_wave("n1", "n2"))
        assert provider.diff("id", outs, found.inputs).changes is False


def test_another_node_is_a_difference_from_an_earlier_state(verified: Props) -> None:
    found = VERIFICATION.check(earlier(a_wave("n1", "n2")), a_wave("n1"))
    assert VERIFICATION.diff("id", verified, found.inputs).changes is True


def test_an_update_of_an_earlier_state_stores_the_new_shape(fleet: Fleet, verified: Props) -> None:
    assigned = outputs(ASSIGNMENT.update("id", earlier(a_wave("n1", "n2")), a_wave("n1", "n2", layout=WIDE)))
    outs = outputs(VERIFICATION.update("id", verified, a_wave("n1", "n2", layout=WIDE)))
    assert node_names(assigned) == node_names(outs) == ("n1", "n2")
    assert not {"nodes", "slices"} & (assigned.keys() | outs.keys())
    assert by_node(outs).keys() == SLICES.keys() and by_node(outs) != SLICES
    assert fleet.isolated() == []


@pytest.mark.usefixtures("fleet")
def test_a_wave_that_waits_keeps_the_slices_of_an_earlier_state(verified: Props) -> None:
    waits = VERIFICATION.check(earlier(a_wave("n1", "n2")), a_wave("n2", "n3", layout=WIDE, held=True)).inputs
    assert (node_names(waits), waits["joining"]) == (("n2",), ["n3"])
    waits = a_wave("n2", "n3", layout=WIDE, held=True)
    assert by_node(outputs(VERIFICATION.update("id", verified, waits))) == SLICES


def test_nodes_that_join_a_blocked_wave_of_an_earlier_state_wait_with_it() -> None:
    old = earlier(a_wave("n1"))
    found = check_wave(old, {**a_wave("n1", "n2"), "blocked": True}, lambda _: []).inputs
    assert (node_names(found), found["joining"]) == (("n1",), ["n2"])


def test_a_refresh_keeps_the_shape_of_an_earlier_state(fleet: Fleet, verified: Props) -> None:
    fleet.partition("n1", [{}, {"1g.10gb": 7}])
    read = outputs(VERIFICATION.read("pool-wave-0", verified))
    assert read == {**verified, "slices": {**SLICES, "n1": "GPU 0: no slices; GPU 1: 7x 1g.10gb"}}


@pytest.mark.usefixtures("verified")
def test_an_earlier_state_is_released_when_its_wave_leaves_the_stack(fleet: Fleet) -> None:
    ASSIGNMENT.delete("pool-wave-0", earlier(a_wave("n1", "n2", on_delete="disable")))
    assert {*fleet.configs().values()} == {labels.ALL_DISABLED}

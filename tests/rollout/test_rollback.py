"""Back to the layout that was last verified, and verified again; both facts are told; the next update tries again."""

import pytest

from mig_fleet.cluster.errors import ClusterError
from mig_fleet.model import labels
from mig_fleet.rollout.verify import VerificationFailed
from tests.memory.fleet import DENSE, FAILS, MANAGER, OPERATOR, SUCCEEDS, WIDE, Fleet
from tests.memory.wave import ASSIGNMENT, VERIFICATION, Props, a_wave, roll_out


def failed_update(fleet: Fleet, **changes: object) -> tuple[Props, str]:
    """A wave that was dense and shall be wide; the new wave, and what the update said."""
    wave = a_wave("n1", "n2", layout=WIDE, on_failure="rollback", **changes)
    fleet.forget_requests()
    ASSIGNMENT.update("pool-wave-0", a_wave("n1", "n2"), wave)
    with pytest.raises(VerificationFailed) as failed:
        VERIFICATION.update("pool-wave-0", a_wave("n1", "n2"), wave)
    return wave, str(failed.value)


@pytest.fixture
def dense(fleet: Fleet) -> Fleet:
    """Both nodes were verified with the old layout."""
    roll_out(a_wave("n1", "n2"))
    fleet.manager["n1"] = [FAILS, FAILS, SUCCEEDS]
    return fleet


def test_a_wave_that_fails_goes_back_to_what_was_last_verified_and_says_both(dense: Fleet) -> None:
    _, text = failed_update(dense)
    assert text.splitlines()[:3] == [
        "1 of 2 nodes of pool-wave-0 are not as the stack says:",
        f"  MIG Manager failed: n1: could not apply '{WIDE.config_name}'",
        "  n1: MIG Manager was started over",
    ]
    assert text.splitlines()[-1] == (
        f"The wave was rolled back to '{DENSE.config_name}', read back and open again: n1, n2. The next update tries "
        f"{WIDE.config_name} again."
    )
    assert dense.configs() == {"n1": DENSE.config_name, "n2": DENSE.config_name}
    assert dense.cuts == {"n1": dense.declared(DENSE.config_name), "n2": dense.declared(DENSE.config_name)}
    assert dense.closed() == []
    assert dense.marks("n2")["verified-config"] == DENSE.config_name


def test_the_next_update_sees_the_rollback_as_drift_and_tries_again(dense: Fleet) -> None:
    wave, _ = failed_update(dense)
    seen = ASSIGNMENT.check(wave, wave).inputs
    assert seen["drift"] == [
        f"label changed: {node}: carries config '{DENSE.config_name}', expected '{WIDE.config_name}'"
        for node in ("n1", "n2")
    ]
    ASSIGNMENT.update("pool-wave-0", wave, seen)
    VERIFICATION.update("pool-wave-0", a_wave("n1", "n2"), wave)
    assert dense.configs() == {"n1": WIDE.config_name, "n2": WIDE.config_name}
    assert dense.marks("n1")["verified-config"] == WIDE.config_name
    assert dense.closed() == []


def test_each_node_goes_back_to_its_own_last_layout(fleet: Fleet) -> None:
    roll_out(a_wave("n1"))
    roll_out(a_wave("n2", layout=WIDE, wave="pool-wave-1"))
    fleet.manager["n1"] = [FAILS, FAILS, SUCCEEDS]
    _, text = failed_update(fleet)
    assert f"rolled back to '{DENSE.config_name}', '{WIDE.config_name}', read back and open again: n1, n2" in text
    assert fleet.configs() == {"n1": DENSE.config_name, "n2": WIDE.config_name}
    assert [config for node, config in fleet.labelled() if node == "n2"] == [], "it was right all the time"


def test_where_nothing_was_ever_verified_the_wave_halts_and_says_why(fleet: Fleet) -> None:
    fleet.manager["n1"] = [FAILS]
    wave = a_wave("n1", "n2", on_failure="rollback")
    ASSIGNMENT.create(wave)
    with pytest.raises(VerificationFailed) as failed:
        VERIFICATION.create(wave)
    assert str(failed.value).splitlines()[-2:] == [
        "The wave could not be rolled back: no layout was ever verified on n1, n2, so there is none to return to",
        f"Still closed to new pods, with config {DENSE.config_name}: n1, n2. Once the cause is gone, run `pulumi up` "
        "again; to open them as they are: `kubectl taint nodes n1 n2 mig-fleet.dev/reconfiguring-`",
    ]
    assert fleet.configs()["n1"] == DENSE.config_name


def test_where_the_verified_layout_itself_fails_there_is_none_to_return_to(fleet: Fleet) -> None:
    wave = a_wave("n1", on_failure="rollback")
    roll_out(wave)
    fleet.manager["n1"] = [FAILS]
    fleet.cut("n1", [{}, {}])
    with pytest.raises(VerificationFailed, match="the layout that failed is the one that was last verified"):
        VERIFICATION.update("pool-wave-0", wave, wave)
    assert fleet.started_over() == [f"{MANAGER} on n1"], "and it is not tried in another guise"


def test_a_rollback_that_fails_leaves_the_wave_closed_and_tells_both_reasons(dense: Fleet) -> None:
    dense.manager["n1"] = [FAILS]
    _, text = failed_update(dense)
    assert f"  MIG Manager failed: n1: could not apply '{WIDE.config_name}'" in text
    assert "\nThe wave could not be rolled back: 1 of 2 nodes of pool-wave-0 are not as the stack says:\n" in text
    assert f"  MIG Manager failed: n1: could not apply '{DENSE.config_name}'" in text
    assert dense.closed() == ["n1", "n2"]


def test_a_node_that_was_helped_in_vain_may_be_helped_once_more_on_its_way_back(dense: Fleet) -> None:
    dense.manager["n1"] = [FAILS, FAILS, FAILS, SUCCEEDS]
    _, text = failed_update(dense)
    assert dense.started_over() == [f"{MANAGER} on n1"] * 2
    assert "rolled back to" in text
    assert dense.closed() == []


def test_a_rollback_keeps_to_the_stacks_word_on_recovery(dense: Fleet) -> None:
    dense.manager["n1"] = [FAILS]
    failed_update(dense, recovery=False)
    assert dense.started_over() == []


def test_a_rollback_meets_the_users_pods_as_any_change_does(dense: Fleet) -> None:
    dense.meanwhile("DELETE", MANAGER, lambda: dense.pod("web", "n2"))
    _, text = failed_update(dense)
    assert (
        "The wave could not be rolled back: nothing was changed:\n  node 'n2' is in use: team/web (Deployment web) "
        "holds 1x mig-1g.10gb; move them away, or choose onUserPods: wait or evict"
    ) in text
    assert ("team", "web") in dense.pods


def test_a_rollback_has_a_deadline_of_its_own(dense: Fleet) -> None:
    dense.manager["n1"] = ["stays pending", SUCCEEDS]
    _, text = failed_update(dense, recovery=False, wedged_s=1800.0, timeout_s=2400.0)
    assert "waited 2401 s of at most 2400 s" in text
    assert "rolled back to" in text


def test_a_node_that_left_does_not_keep_the_others_from_going_back(dense: Fleet) -> None:
    dense.manager["n1"] = [SUCCEEDS]
    dense.clock.after(3, lambda: dense.remove("n2"))
    _, text = failed_update(dense)
    assert "node gone: n2: is not in the cluster" in text
    assert f"rolled back to '{DENSE.config_name}', read back and open again: n1." in text
    assert dense.configs() == {"n1": DENSE.config_name}


def test_a_layout_that_the_file_does_not_hold_any_more_cannot_be_returned_to(dense: Fleet) -> None:
    dense.serve(WIDE)
    _, text = failed_update(dense)
    assert (
        "The wave could not be rolled back: the layout file in the cluster does not say what the last layout was"
        in text
    )
    assert DENSE.config_name in text


EDITED = "version: v1\nmig-configs: {by-hand: 2020-99-99}"


@pytest.mark.parametrize("file", [{}, {"config.yaml": "{"}, {"config.yaml": "version: v2"}, {"config.yaml": EDITED}])
def test_a_layout_file_that_says_nothing_is_a_reason_and_no_traceback(dense: Fleet, file: dict[str, str]) -> None:
    dense.meanwhile("DELETE", MANAGER, lambda: None)
    wave = a_wave("n1", "n2", layout=WIDE, on_failure="rollback", recovery=False)
    ASSIGNMENT.update("pool-wave-0", a_wave("n1", "n2"), wave)
    dense.clock.sleep(10)
    dense.config_map(OPERATOR, labels.LAYOUTS_CONFIG_MAP, file)
    with pytest.raises(VerificationFailed, match="the layout file in the cluster does not say"):
        VERIFICATION.create(wave)


def test_a_layout_that_only_a_certain_board_gets_is_no_layout_to_return_to(dense: Fleet) -> None:
    wave = a_wave("n1", "n2", layout=WIDE, on_failure="rollback", recovery=False)
    ASSIGNMENT.update("pool-wave-0", a_wave("n1", "n2"), wave)
    dense.clock.sleep(10)
    written = dense.config_maps[OPERATOR, labels.LAYOUTS_CONFIG_MAP]["data"]["config.yaml"]
    board = written.replace('"0x233010DE"', '"0x233010DE:0x16C110DE"')
    dense.config_map(OPERATOR, labels.LAYOUTS_CONFIG_MAP, {"config.yaml": board})
    with pytest.raises(
        VerificationFailed, match="what GPU 0 of n1 had is not known: the device filter 0x233010DE:0x16"
    ):
        VERIFICATION.create(wave)
    assert WIDE.config_name in dense.configs()["n1"], "nothing was changed on a guess"


def test_a_node_that_reports_no_gpus_cannot_be_rolled_back_blindly(dense: Fleet) -> None:
    wave = a_wave("n1", "n2", layout=WIDE, on_failure="rollback", recovery=False)
    ASSIGNMENT.update("pool-wave-0", a_wave("n1", "n2"), wave)
    dense.clock.sleep(10)
    dense.report("n2", gpus=(), errors=("nvmlInit: Driver Not Loaded",))
    with pytest.raises(VerificationFailed, match="which GPUs n2 has is not known"):
        VERIFICATION.create(wave)


def test_a_rollback_that_cannot_open_a_node_says_that_it_is_back_and_closed(dense: Fleet) -> None:
    dense.meanwhile(
        "DELETE",
        MANAGER,
        lambda: dense.answer("PATCH", "nodes/n2", ClusterError("the server has a bad day"), skip=1),
    )
    _, text = failed_update(dense)
    assert (
        "back at the last verified layout, but still closed: n2 (the server has a bad day); open with "
        "`kubectl taint nodes n2 mig-fleet.dev/reconfiguring-`"
    ) in text
    assert f"Still closed to new pods, with config {DENSE.config_name}: n2." in text

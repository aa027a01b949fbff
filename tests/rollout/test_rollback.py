"""A failed wave returns to the layout that was verified last and is verified again; the next update tries once more."""

from typing import Any

import pytest

from mig_fleet.cluster.errors import ClusterError
from mig_fleet.model import labels
from mig_fleet.rollout.verify import VerificationFailed
from tests.memory.fleet import DENSE, FAILS, MANAGER, OPERATOR, STAYS_PENDING, SUCCEEDS, WIDE, Fleet
from tests.memory.wave import ASSIGNMENT, VERIFICATION, Props, a_wave, roll_out


def failed_update(**changes: Any) -> tuple[Props, str]:
    """Update the dense wave to the wide layout, which fails; returns the new wave and the error."""
    old, new = a_wave("n1", "n2"), a_wave("n1", "n2", layout=WIDE, on_failure="rollback", **changes)
    ASSIGNMENT.update("pool-wave-0", old, new)
    with pytest.raises(VerificationFailed) as failed:
        VERIFICATION.update("pool-wave-0", old, new)
    return new, str(failed.value)


def failed_by_mig_manager(fleet: Fleet) -> Props:
    """The wave after its assignment, once MIG Manager has failed on n1; without recovery."""
    wave = a_wave("n1", "n2", layout=WIDE, on_failure="rollback", recovery=False)
    ASSIGNMENT.update("pool-wave-0", a_wave("n1", "n2"), wave)
    fleet.clock.sleep(10)
    return wave


def verification_failure(wave: Props) -> str:
    with pytest.raises(VerificationFailed) as failed:
        VERIFICATION.create(wave)
    return str(failed.value)


@pytest.fixture
def dense(fleet: Fleet) -> Fleet:
    """Both nodes are verified with the dense layout; the next config and its remedy fail on n1, the rollback works."""
    roll_out(a_wave("n1", "n2"))
    fleet.manager_outcomes["n1"] = [FAILS, FAILS, SUCCEEDS]
    fleet.clear_requests()
    return fleet


# A rollback that works


def test_a_failed_wave_returns_to_the_layout_that_was_verified_last_and_the_error_reports_both(dense: Fleet) -> None:
    _, text = failed_update()
    assert text.splitlines()[:3] == [
        "1 of 2 nodes of pool-wave-0 are not as the stack declares:",
        f"  MIG Manager failed: n1: could not apply '{WIDE.config_name}'",
        "  n1: restarted MIG Manager",
    ]
    assert text.splitlines()[-1] == (
        f"The wave was rolled back to '{DENSE.config_name}' and verified; scheduling restored: n1, n2. The next update "
        f"tries {WIDE.config_name} again."
    )
    assert dense.configs() == {"n1": DENSE.config_name, "n2": DENSE.config_name}
    assert dense.per_gpu == {"n1": dense.declared(DENSE.config_name), "n2": dense.declared(DENSE.config_name)}
    assert dense.isolated() == []
    assert dense.ownership_annotations("n2")["verified-config"] == DENSE.config_name


def test_the_next_update_finds_the_rollback_as_drift_and_tries_again(dense: Fleet) -> None:
    wave, _ = failed_update()
    inputs = ASSIGNMENT.check(wave, wave).inputs
    assert inputs["drift"] == [
        f"config changed: {node}: carries config '{DENSE.config_name}', expected '{WIDE.config_name}'"
        for node in ("n1", "n2")
    ]
    ASSIGNMENT.update("pool-wave-0", wave, inputs)
    VERIFICATION.update("pool-wave-0", a_wave("n1", "n2"), wave)
    assert dense.configs() == {"n1": WIDE.config_name, "n2": WIDE.config_name}
    assert dense.ownership_annotations("n1")["verified-config"] == WIDE.config_name
    assert dense.isolated() == []


def test_each_node_returns_to_the_layout_that_was_verified_last_on_it(fleet: Fleet) -> None:
    roll_out(a_wave("n1"))
    roll_out(a_wave("n2", layout=WIDE, wave="pool-wave-1"))
    fleet.manager_outcomes["n1"] = [FAILS, FAILS, SUCCEEDS]
    fleet.clear_requests()
    _, text = failed_update()
    assert (
        f"rolled back to '{DENSE.config_name}', '{WIDE.config_name}' and verified; scheduling restored: n1, n2" in text
    )
    assert fleet.configs() == {"n1": DENSE.config_name, "n2": WIDE.config_name}
    assert "n2" not in dict(fleet.written_configs()), "it had its config all the time"


def test_a_node_whose_remedy_failed_may_get_one_more_during_the_rollback(dense: Fleet) -> None:
    dense.manager_outcomes["n1"] = [FAILS, FAILS, FAILS, SUCCEEDS]
    _, text = failed_update()
    assert dense.restarted_pods() == [f"{MANAGER} on n1"] * 2
    assert "rolled back to" in text
    assert dense.isolated() == []


def test_a_rollback_has_a_timeout_of_its_own(dense: Fleet) -> None:
    dense.manager_outcomes["n1"] = [STAYS_PENDING, SUCCEEDS]
    _, text = failed_update(recovery=False, stuck_after_seconds=450.0, timeout_seconds=600.0)
    assert "waited 601 s of at most 600 s" in text
    assert "rolled back to" in text


def test_a_node_that_left_the_cluster_does_not_prevent_the_rollback_of_the_others(dense: Fleet) -> None:
    dense.manager_outcomes["n1"] = [SUCCEEDS]
    dense.clock.after(3, lambda: dense.remove("n2"))
    _, text = failed_update()
    assert "node missing: n2: is not in the cluster" in text
    assert f"rolled back to '{DENSE.config_name}' and verified; scheduling restored: n1." in text
    assert dense.configs() == {"n1": DENSE.config_name}


# A rollback that fails


def test_a_rollback_that_fails_leaves_the_wave_isolated_and_the_error_has_both_reasons(dense: Fleet) -> None:
    dense.manager_outcomes["n1"] = [FAILS]
    _, text = failed_update()
    assert f"  MIG Manager failed: n1: could not apply '{WIDE.config_name}'" in text
    assert "\nThe wave could not be rolled back: 1 of 2 nodes of pool-wave-0 are not as the stack declares:\n" in text
    assert f"  MIG Manager failed: n1: could not apply '{DENSE.config_name}'" in text
    assert dense.isolated() == ["n1", "n2"]


def test_with_recovery_off_a_rollback_restarts_nothing(dense: Fleet) -> None:
    dense.manager_outcomes["n1"] = [FAILS]
    failed_update(recovery=False)
    assert dense.restarted_pods() == []


def test_a_rollback_does_not_move_users_pods_unless_the_stack_says_so(dense: Fleet) -> None:
    dense.before_request("DELETE", MANAGER, lambda: dense.pod("web", "n2"))
    _, text = failed_update()
    assert (
        "The wave could not be rolled back: nothing was changed:\n  node 'n2' is in use: team/web (Deployment web) "
        "holds 1x mig-1g.10gb; move them away, or choose onUserPods: wait or evict"
    ) in text
    assert ("team", "web") in dense.pods


def test_a_rollback_that_cannot_restore_scheduling_reports_the_layout_and_the_command(dense: Fleet) -> None:
    dense.before_request(
        "DELETE",
        MANAGER,
        lambda: dense.fail_requests("PATCH", "nodes/n2", ClusterError("the API server is unavailable"), skip=1),
    )
    _, text = failed_update()
    assert (
        "back at the last verified layout, but still isolated: n2 (the API server is unavailable); restore scheduling "
        "with `kubectl taint nodes n2 mig-fleet.dev/reconfiguring-`"
    ) in text
    assert f"Still isolated: n2 (labelled {DENSE.config_name}; NVML " in text


# No layout to return to


def test_without_a_verified_layout_the_wave_stays_isolated_and_the_error_says_so(fleet: Fleet) -> None:
    fleet.manager_outcomes["n1"] = [FAILS]
    wave = a_wave("n1", "n2", on_failure="rollback")
    ASSIGNMENT.create(wave)
    assert verification_failure(wave).splitlines()[-2:] == [
        "The wave could not be rolled back: no layout was ever verified on n1, n2, so there is none to return to",
        f"Still isolated: n1 (labelled {DENSE.config_name}; NVML still shows GPU 0-1: MIG off), n2 (labelled "
        f"{DENSE.config_name}; NVML shows GPU 0-1: 7x 1g.10gb). Once the cause is fixed, run `pulumi up` again; to "
        "restore scheduling without another update: `kubectl taint nodes n1 n2 mig-fleet.dev/reconfiguring-`",
    ]
    assert fleet.configs()["n1"] == DENSE.config_name


def test_a_wave_that_fails_with_its_verified_layout_is_not_rolled_back_to_it(fleet: Fleet) -> None:
    wave = a_wave("n1", on_failure="rollback")
    roll_out(wave)
    fleet.manager_outcomes["n1"] = [FAILS]
    fleet.partition("n1", [{}, {}])
    assert "the layout that failed is the one that was verified last, so there is none" in verification_failure(wave)
    assert fleet.restarted_pods() == [f"{MANAGER} on n1"], "the remedy is not repeated as a rollback"


def test_a_layout_that_is_no_longer_in_the_file_cannot_be_returned_to(dense: Fleet) -> None:
    dense.write_layout_file(WIDE)
    _, text = failed_update()
    assert "The wave could not be rolled back: the layout file in the cluster does not define the last layout: " in text
    assert DENSE.config_name in text


EDITED = "version: v1\nmig-configs: {by-hand: 2020-99-99}"


@pytest.mark.parametrize("file", [{}, {"config.yaml": "{"}, {"config.yaml": "version: v2"}, {"config.yaml": EDITED}])
def test_a_layout_file_that_cannot_be_read_is_a_reason_and_not_a_traceback(dense: Fleet, file: dict[str, str]) -> None:
    wave = failed_by_mig_manager(dense)
    dense.config_map(OPERATOR, labels.LAYOUTS_CONFIG_MAP, file)
    assert "the layout file in the cluster does not define the last layout: " in verification_failure(wave)


def test_a_layout_that_is_selected_by_subsystem_id_cannot_be_returned_to(dense: Fleet) -> None:
    wave = failed_by_mig_manager(dense)
    file = dense.config_maps[OPERATOR, labels.LAYOUTS_CONFIG_MAP]["data"]["config.yaml"]
    with_subsystem = file.replace('"0x233010DE"', '"0x233010DE:0x16C110DE"')
    dense.config_map(OPERATOR, labels.LAYOUTS_CONFIG_MAP, {"config.yaml": with_subsystem})
    text = verification_failure(wave)
    what = f"the slices of GPU 0 of n1 under '{DENSE.config_name}' are unknown: its device filter 0x233010DE:0x16C110DE"
    assert what in text
    assert " selects by subsystem ID, which reports do not include" in text
    assert dense.configs()["n1"] == WIDE.config_name, "nothing was changed"


def test_a_node_whose_report_has_no_gpus_cannot_be_rolled_back(dense: Fleet) -> None:
    wave = failed_by_mig_manager(dense)
    dense.report("n2", gpus=(), errors=("nvmlInit: Driver Not Loaded",))
    assert "the GPUs of n2 are not known: its probe has not reported them" in verification_failure(wave)

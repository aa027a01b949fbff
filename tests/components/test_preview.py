"""What a reviewer reads of a planned change: whom it moves, whom it strands, what it needs, what it brings."""

from typing import Any

import pulumi

from mig_fleet.model import labels
from mig_fleet.model.layouts import Layout
from mig_fleet.observed.snapshot import forget
from mig_fleet.rollout.impact import MOST_LINES
from tests.memory.fleet import A100, DENSE, WIDE, Fleet, a_gpu
from tests.memory.wave import ASSIGNMENT, VERIFICATION, Props, a_wave, roll_out

NEWS = ("changes", "disrupts", "strands", "needs", "capacity")


def news(wave: Props, before: Props | None = None) -> dict[str, list[str]]:
    """What the next preview would show of a wave that is new, or was something else before."""
    forget()
    found = ASSIGNMENT.check(before or {}, wave)
    assert found.failures == []
    return {key: found.inputs[key] for key in NEWS if key in found.inputs}


def test_a_first_layout_says_what_becomes_of_which_nodes_and_what_is_won(fleet: Fleet) -> None:
    assert news(a_wave("n1", "n2")) == {
        "changes": ["n1, n2: GPU 0-1: MIG off → GPU 0-1: 7x 1g.10gb"],
        "needs": [f"{node}: a change of the MIG mode of GPU 0-1: no GPU reset" for node in ("n1", "n2")],
        "capacity": ["nvidia.com/gpu: 4 → 0", "nvidia.com/mig-1g.10gb: 0 → 28"],
    }


def test_a_new_layout_names_the_pods_that_lose_their_slices_and_those_that_would_find_none(fleet: Fleet) -> None:
    roll_out(a_wave("n1", "n2"))
    fleet.pod("web", "n1")
    fleet.pod("queue")
    fleet.pod("other", "n3")
    assert news(a_wave("n1", "n2", layout=WIDE), a_wave("n1", "n2")) == {
        "changes": ["n1, n2: GPU 0-1: 7x 1g.10gb → GPU 0-1: 2x 3g.40gb"],
        "disrupts": ["n1: team/web (Deployment web) holds 1x mig-1g.10gb"],
        "strands": [
            "team/queue (Deployment queue) waits for a node and asks for mig-1g.10gb",
            "team/web (Deployment web) runs on n1 and asks for mig-1g.10gb",
        ],
        "capacity": ["nvidia.com/mig-1g.10gb: 28 → 0", "nvidia.com/mig-3g.40gb: 0 → 8"],
    }


def test_a_pod_whose_slices_the_new_layout_offers_too_is_moved_and_not_stranded(fleet: Fleet) -> None:
    roll_out(a_wave("n1"))
    fleet.pod("web", "n1")
    both = Layout.parse("both", {"gpu": "H100-80GB", "all": {"3g.40gb": 1, "1g.10gb": 4}})
    found = news(a_wave("n1", layout=both), a_wave("n1"))
    assert found["disrupts"] == ["n1: team/web (Deployment web) holds 1x mig-1g.10gb"]
    assert "strands" not in found


def test_a_pod_whose_slices_a_waiting_wave_goes_on_offering_is_not_stranded(fleet: Fleet) -> None:
    roll_out(a_wave("n1"))
    roll_out(a_wave("n2", wave="pool-wave-1"))
    fleet.pod("web", "n1")
    fleet.pod("queue")
    found = news(a_wave("n1", layout=WIDE, staying=["n2", "gone"]), a_wave("n1"))
    assert "strands" not in found
    assert found["disrupts"] == ["n1: team/web (Deployment web) holds 1x mig-1g.10gb"]
    assert len(news(a_wave("n1", layout=WIDE, staying=["gone"]), a_wave("n1"))["strands"]) == 2


def test_what_a_waiting_wave_does_not_offer_is_stranded_all_the_same(fleet: Fleet) -> None:
    roll_out(a_wave("n1"))
    fleet.pod("queue")
    found = news(a_wave("n1", layout=WIDE, staying=["n2"]), a_wave("n1"))
    assert found["strands"] == ["team/queue (Deployment queue) waits for a node and asks for mig-1g.10gb"]


def test_who_waits_is_no_wish_and_is_kept_in_no_state(fleet: Fleet) -> None:
    old = a_wave("n1", "n2")
    roll_out(old)
    forget()
    found = ASSIGNMENT.check(old, {**old, "staying": ["n3"]}).inputs
    assert found == old, "a later preview shows no difference"
    assert ASSIGNMENT.diff("id", old, found).changes is False


def test_nodes_that_are_right_already_are_no_part_of_the_change(fleet: Fleet) -> None:
    fleet.add("n1", DENSE.config_name)
    fleet.pod("web", "n1")
    found = news(a_wave("n1", "n2"))
    assert found["changes"] == ["n2: GPU 0-1: MIG off → GPU 0-1: 7x 1g.10gb"]
    assert "disrupts" not in found


def test_a_wave_that_is_right_already_has_no_news_and_asks_for_no_pods(fleet: Fleet) -> None:
    fleet.add("n1", DENSE.config_name)
    assert news(a_wave("n1")) == {}
    assert not [path for _, path, _ in fleet.requests if path.endswith("/pods")]


def test_nodes_that_change_differently_have_a_line_each(fleet: Fleet) -> None:
    fleet.add("n2", WIDE.config_name)
    assert news(a_wave("n1", "n2"))["changes"] == [
        "n1: GPU 0-1: MIG off → GPU 0-1: 7x 1g.10gb",
        "n2: GPU 0-1: 2x 3g.40gb → GPU 0-1: 7x 1g.10gb",
    ]


def test_gpus_that_look_different_are_told_apart(fleet: Fleet) -> None:
    fleet.cut("n1", [{"1g.10gb": 7}, {}])
    assert news(a_wave("n1", layout=WIDE))["changes"] == [
        "n1: GPU 0: 7x 1g.10gb; GPU 1: no slices → GPU 0-1: 2x 3g.40gb"
    ]


def test_a_node_without_a_report_is_known_by_its_config(fleet: Fleet) -> None:
    fleet.config_maps.pop(("mig-fleet", "mig-report-n1"))
    found = news(a_wave("n1"))
    assert found["changes"] == ["n1: config 'all-disabled' → GPU 0-1: 7x 1g.10gb"]
    assert "needs" not in found, "nobody knows the mode of its GPUs"


def test_a_node_that_is_not_there_yet_is_not_counted(fleet: Fleet) -> None:
    assert news(a_wave("n1", "n9"))["changes"] == ["n1: GPU 0-1: MIG off → GPU 0-1: 7x 1g.10gb"]


def test_on_ampere_a_change_of_the_mode_needs_a_reset(fleet: Fleet) -> None:
    layout = Layout.parse("small", {"gpu": "A100-80GB", "all": {"1g.10gb": 7}})
    fleet.report("n1", gpus=(a_gpu(0, None, pci_id=A100), a_gpu(1, {}, pci_id=A100)))
    assert news(a_wave("n1", layout=layout))["needs"] == [
        "n1: a change of the MIG mode of GPU 0: a reset of each GPU, or a reboot where the platform forbids it"
    ]


def test_the_same_fleet_gives_the_same_words(fleet: Fleet) -> None:
    for name in ("b", "a", "c"):
        fleet.pod(name, "n1")
    first = news(a_wave("n1", "n2"))
    fleet.pods = dict(reversed(fleet.pods.items()))
    fleet.nodes = dict(reversed(fleet.nodes.items()))
    assert news(a_wave("n2", "n1")) == first
    assert first["disrupts"] == sorted(first["disrupts"])


def test_many_lines_are_counted_after_the_first_twenty(fleet: Fleet) -> None:
    for number in range(MOST_LINES + 5):
        fleet.pod(f"web-{number:02}", "n1")
    found = news(a_wave("n1"))["disrupts"]
    assert len(found) == MOST_LINES + 1
    assert found[-1] == "and 5 more"


def test_nothing_is_said_while_an_input_is_unknown(fleet: Fleet) -> None:
    assert news({**a_wave("n1"), "namespace": pulumi.output.Unknown()}) == {}


def test_news_are_inputs_and_never_outputs(fleet: Fleet) -> None:
    forget()
    inputs = ASSIGNMENT.check({}, a_wave("n1")).inputs
    assert set(NEWS) & ASSIGNMENT.create(inputs).outs.keys() == set()
    assert ASSIGNMENT.diff("id", a_wave("n1"), inputs).changes is False


def test_only_the_assignment_tells_them(fleet: Fleet) -> None:
    found: dict[str, Any] = VERIFICATION.check({}, a_wave("n1")).inputs
    assert set(NEWS) & found.keys() == set()


def test_a_changed_policy_alone_is_no_change_of_nodes(fleet: Fleet) -> None:
    roll_out(a_wave("n1"))
    assert news(a_wave("n1", on_user_pods="evict"), a_wave("n1")) == {}


def test_a_node_that_somebody_closed_is_told_like_any_other(fleet: Fleet) -> None:
    fleet.taint("n1", labels.TAINT)
    assert news(a_wave("n1"))["changes"] == ["n1: GPU 0-1: MIG off → GPU 0-1: 7x 1g.10gb"]

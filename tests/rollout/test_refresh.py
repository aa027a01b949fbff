"""`pulumi refresh` records the slices that the nodes have now."""

import pytest

from mig_fleet.cluster.errors import ClusterUnreachable
from mig_fleet.model.reported_slices import by_node
from mig_fleet.observed.snapshot import invalidate
from mig_fleet.rollout.verify import VerificationFailed
from tests.memory.fleet import Fleet, a_gpu
from tests.memory.wave import VERIFICATION, Props, a_wave, outputs, roll_out


def refresh(outs: Props) -> Props:
    """In a process of its own, which has no snapshot yet."""
    invalidate()
    return outputs(VERIFICATION.read("pool-wave-0", outs))


def test_a_refresh_records_the_slices_that_the_nodes_have_now_and_keeps_all_other_outputs(fleet: Fleet) -> None:
    outs = roll_out(a_wave("n1", "n2"))
    fleet.partition("n1", [{}, {"1g.10gb": 7}])
    fleet.remove("n2")
    read = refresh({**outs, "__provider": "kept"})
    assert read == {**outs, "__provider": "kept", "reported": {"GPU 0: no slices; GPU 1: 7x 1g.10gb": "n1\n"}}


def test_a_refresh_records_no_slices_from_a_stale_or_incomplete_report(fleet: Fleet) -> None:
    outs = roll_out(a_wave("n1", "n2"))
    fleet.report("n1", errors=("GPU 1: nvmlDeviceGetMigMode: GPU is lost",), gpus=(a_gpu(0, {"1g.10gb": 7}),))
    fleet.report("n2", attempt="0")
    read = refresh(outs)
    assert by_node(read) == {"n1": "no report", "n2": "no report"}


def test_a_refresh_with_an_unreachable_cluster_is_one_sentence(fleet: Fleet) -> None:
    outs = roll_out(a_wave("n1"))
    fleet.fail_requests("GET", "/nodes$", ClusterUnreachable("the cluster does not answer: connection refused"))
    with pytest.raises(VerificationFailed, match=r"^the cluster does not answer: connection refused$"):
        refresh(outs)

"""An API server that fails at one kind of request: error responses, no response, broken connections."""

from tests.faults.fault import Fault, Outcome
from tests.faults.fault_run import (
    EVICTION,
    EXEC,
    ISOLATE,
    LABEL,
    LAYOUT_FILE,
    NODE_LIST,
    POD_LIST,
    RECORD,
    REPORT_LIST,
    RESTORE,
    FaultRun,
)
from tests.faults.scenario import FEWER, FIRST_WAVE, POOL
from tests.faults.table.texts import AGAIN, OWNED_POD, POD, SCHEDULING_RESTORED, restore_command

ANSWER_500 = "answered 500: Internal error occurred: etcdserver: request timed out"
ANSWER_503 = "answered 503: the server is currently unable to handle the request"
SLOW_ETCD = "the server answers 500 because etcd is slow (etcdserver: request timed out)"
RECOVERED = "the API server works again"


def break_connections_during_verification(run: FaultRun) -> None:
    """From the first snapshot after the last label; before that, another label may still be written."""

    def start() -> None:
        run.api.answer(None, ".", "reset", times=8)

    run.before_write(LABEL, "node-2", lambda: run.api.when("GET", NODE_LIST, start))


def become_unavailable_during_verification(run: FaultRun) -> None:
    def start() -> None:
        run.api.answer("GET", NODE_LIST, 503)

    run.before_write(LABEL, "node-2", lambda: run.api.when("GET", NODE_LIST, start))


def fail_evictions(run: FaultRun) -> None:
    run.run_pod("node-1", owner="Deployment")
    run.api.answer("POST", EVICTION, 500)


API = [
    Fault(
        "500 at every list of nodes",
        SLOW_ETCD,
        lambda run: run.api.answer("GET", NODE_LIST, 500),
        Outcome.REFUSED,
        written=(),
        error=(f"GET /api/v1/nodes {ANSWER_500}",),
        fix=RECOVERED,
        target=FEWER,
    ),
    Fault(
        "429 at the first list of nodes",
        "the server sheds load, and its answer states when to retry (API priority and fairness)",
        lambda run: run.api.answer("GET", NODE_LIST, 429, times=1, retry_after=1),
        Outcome.SUCCEEDED,
        written=POOL,
        target=FEWER,
    ),
    Fault(
        "no answer to the list of nodes",
        "a firewall drops the packets, so that no answer arrives",
        lambda run: run.api.answer("GET", NODE_LIST, "timeout"),
        Outcome.REFUSED,
        written=(),
        error=(
            "the cluster at https://cluster:6443 does not answer: Read timed out. (read timeout=N); a stack with "
            "`cluster.onUnreachable: warn` is previewed without the check for drift",
        ),
        fix="the firewall lets the requests through",
        target=FEWER,
    ),
    Fault(
        "403 at the list of reports",
        "the user's role lacks `list configmaps` in the probes' namespace",
        lambda run: run.api.answer("GET", REPORT_LIST, 403),
        Outcome.REFUSED,
        written=(),
        error=("the cluster refuses GET /api/v1/namespaces/mig-fleet/configmaps: the request is forbidden",),
        fix="the role is extended",
        target=FEWER,
    ),
    Fault(
        "500 at every list of pods",
        SLOW_ETCD + ", so it is not known which pods the change affects",
        lambda run: run.api.answer("GET", POD_LIST, 500),
        Outcome.REFUSED,
        written=(),
        error=(f"GET /api/v1/pods {ANSWER_500}",),
        fix=RECOVERED,
        target=FEWER,
    ),
    Fault(
        "503 at the ConfigMap of layouts",
        "an admission webhook for ConfigMaps is unavailable",
        lambda run: run.api.answer("PATCH", LAYOUT_FILE, 503),
        Outcome.REFUSED,
        written=(),
        error=(f"PATCH /api/v1/namespaces/gpu-operator/configmaps/mig-fleet-layouts {ANSWER_503}",),
        fix="the webhook works again",
        pool_before={"cluster": {"context": "simulated-fleet"}},
        target=FEWER,
    ),
    Fault(
        "500 at the isolation of a node",
        SLOW_ETCD + " whenever one node is tainted",
        lambda run: run.fail_write(ISOLATE, "node-2", 500),
        Outcome.REFUSED,
        written=FIRST_WAVE,
        error=(
            f"no node was relabelled: node-2 could not be isolated: PATCH /api/v1/nodes/node-2 {ANSWER_500}",
            SCHEDULING_RESTORED,
        ),
        fix=RECOVERED,
        target=FEWER,
    ),
    Fault(
        "409 at the isolation of a node, twice",
        "another client writes the node between our read and our write",
        lambda run: run.fail_write(ISOLATE, "node-1", 409, times=2),
        Outcome.SUCCEEDED,
        written=POOL,
        target=FEWER,
    ),
    Fault(
        "409 at the isolation of a node, always",
        "a controller writes the node without pause",
        lambda run: run.fail_write(ISOLATE, "node-1", 409),
        Outcome.REFUSED,
        written=FIRST_WAVE,
        error=(
            "no node was relabelled: node-1 could not be isolated: PATCH /api/v1/nodes/node-1 answered 409: Operation "
            "cannot be fulfilled: the object has been modified; please apply your changes to the latest version and "
            "try again",
            SCHEDULING_RESTORED,
        ),
        fix="the controller is stopped",
        target=FEWER,
    ),
    Fault(
        "500 at the label of one node",
        SLOW_ETCD + " from the label of one node on",
        lambda run: run.fail_write(LABEL, "node-2", 500),
        Outcome.HALTED,
        written=FIRST_WAVE,
        isolated=FIRST_WAVE,
        error=(
            "1 of 2 nodes could not be labelled:",
            f"node-2: PATCH /api/v1/nodes/node-2 {ANSWER_500}",
            "relabelled: node-1",
            f"still isolated: node-1, node-2; restore scheduling with {restore_command()}",
            AGAIN,
        ),
        fix=RECOVERED,
        target=FEWER,
    ),
    Fault(
        "the answer to a label is lost",
        "the server executed the request: MIG Manager is already working when the product retries",
        lambda run: run.fail_write(LABEL, "node-1", "lost", times=1),
        Outcome.SUCCEEDED,
        written=POOL,
    ),
    Fault(
        "the API server restarts while a wave is verified",
        "every connection breaks, then it answers again",
        break_connections_during_verification,
        Outcome.SUCCEEDED,
        written=POOL,
    ),
    Fault(
        "the API server stays unavailable while a wave is verified",
        "it is unavailable for longer than the product retries",
        become_unavailable_during_verification,
        Outcome.HALTED,
        written=FIRST_WAVE,
        isolated=FIRST_WAVE,
        error=(
            f"GET /api/v1/nodes {ANSWER_503}",
            "node-1, node-2 may still be isolated; run the update again once the cluster answers.",
        ),
        fix=RECOVERED,
        target=FEWER,
    ),
    Fault(
        "500 when a node is recorded as verified",
        SLOW_ETCD + " after the verification",
        lambda run: run.fail_write(RECORD, "node-2", 500),
        Outcome.FAILED,
        written=FIRST_WAVE,
        error=(
            "all nodes of train-wave-00 are as declared, but node-2 is not recorded as verified: PATCH "
            f"/api/v1/nodes/node-2 {ANSWER_500}",
            "Run the update again",
        ),
        fix=RECOVERED,
        target=FEWER,
    ),
    Fault(
        "500 when the scheduling of a node is restored",
        SLOW_ETCD + " at the last step",
        lambda run: run.fail_write(RESTORE, "node-1", 500),
        Outcome.HALTED,
        written=FIRST_WAVE,
        isolated=("node-1",),
        error=(
            "all nodes of train-wave-00 are as declared, but node-1 may still be isolated: PATCH "
            f"/api/v1/nodes/node-1 {ANSWER_500}",
            f"Run the update again, or restore scheduling with {restore_command('node-1')}",
        ),
        fix=RECOVERED,
        target=FEWER,
    ),
    Fault(
        "403 at commands in pods",
        "the user loses the right to `pods/exec`: MIG Manager's copy of the layout file cannot be read",
        lambda run: run.api.answer("GET", EXEC, 403),
        Outcome.REFUSED,
        written=FIRST_WAVE,
        error=(
            "no node was relabelled: MIG Manager's copy of the layout file may not be read, which needs get and create "
            "of pods/exec in namespace gpu-operator: the cluster refuses GET /api/v1/namespaces/gpu-operator/pods/"
            "nvidia-mig-manager-x2x7k/exec: the request is forbidden; `mig-fleet rights` prints roles that allow it",
            SCHEDULING_RESTORED,
        ),
        fix="the role is extended",
        target=FEWER,
    ),
    Fault(
        "500 at an eviction",
        "an admission webhook for evictions is unavailable",
        fail_evictions,
        Outcome.REFUSED,
        written=FIRST_WAVE,
        preview=(f"podsLosingSlices: node-1: {OWNED_POD}",),
        error=(
            f"no node was relabelled: not evicted within N s: {OWNED_POD}, because the API server failed: POST "
            f"/api/v1/namespaces/{POD.replace('/', '/pods/')}/eviction {ANSWER_500}",
            SCHEDULING_RESTORED,
        ),
        rollout={"on_user_pods": "evict", "timeout_seconds": 3},
        fix="the webhook works again",
        apply_fix=lambda run: run.delete_pods(),
        target=FEWER,
    ),
]

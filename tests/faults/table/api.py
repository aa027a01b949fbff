"""An API server with bad days: at each kind of request, refusals, silence, broken lines."""

from tests.faults.fault import Fault, Outcome
from tests.faults.ground import FIRST, POOL, RENAMED
from tests.faults.stage import CLOSE, EVICTION, EXEC, FILE, LABEL, NODES, OPEN, PODS, REPORTS, VERIFIED, Stage
from tests.faults.table.wording import HOLDS, OPEN_AGAIN

SLOW = "answered 500: Internal error occurred: etcdserver: request timed out"
AWAY = "answered 503: the server is currently unable to handle the request"
EVICTED = "/api/v1/namespaces/default/pods/notebook-7d4b9c6f5-x2x7k/eviction"
ETCD = "etcd is slow: the server answers 500 (etcdserver: request timed out)"


def at_verification(stage: Stage, *rules: tuple[str, str, object, int | None]) -> None:
    """Trouble that begins at the first look behind the last label: before it, another label may be under way."""

    def begin() -> None:
        for method, path, trouble, times in rules:
            stage.api.answer(method, path, trouble, times=times)

    stage.at(LABEL, "node-2", lambda: stage.api.when("GET", NODES, begin))


API = [
    Fault(
        "500 at every list of nodes",
        ETCD,
        lambda stage: stage.api.answer("GET", NODES, 500),
        Outcome.REFUSED,
        touched=(),
        reads=(f"GET /api/v1/nodes {SLOW}",),
        cure="the API server is well again",
        target=RENAMED,
    ),
    Fault(
        "429 at the first list of nodes",
        "the server sheds load, and says when to come back (API priority and fairness)",
        lambda stage: stage.api.answer("GET", NODES, 429, times=1, retry_after=1),
        Outcome.GOES_ON,
        touched=POOL,
        target=RENAMED,
    ),
    Fault(
        "no answer to the list of nodes",
        "a firewall drops what it does not like; nothing ever comes back",
        lambda stage: stage.api.answer("GET", NODES, "timeout"),
        Outcome.REFUSED,
        touched=(),
        reads=("the cluster at https://cluster:6443 does not answer: no whole answer within N s",),
        cure="the firewall lets us through",
        target=RENAMED,
    ),
    Fault(
        "reports may not be listed",
        "the user's role lacks `list configmaps` in the probes' namespace",
        lambda stage: stage.api.answer("GET", REPORTS, 403),
        Outcome.REFUSED,
        touched=(),
        reads=("the cluster refuses GET /api/v1/namespaces/mig-fleet/configmaps: the request is forbidden",),
        cure="the role is extended",
        target=RENAMED,
    ),
    Fault(
        "500 at every list of pods",
        ETCD + "; whom the change disturbs cannot be said",
        lambda stage: stage.api.answer("GET", PODS, 500),
        Outcome.REFUSED,
        touched=(),
        reads=(f"GET /api/v1/pods {SLOW}",),
        cure="the API server is well again",
        target=RENAMED,
    ),
    Fault(
        "503 at the ConfigMap of layouts",
        "an admission webhook on ConfigMaps is away",
        lambda stage: stage.api.answer("PATCH", FILE, 503),
        Outcome.REFUSED,
        touched=(),
        reads=(f"PATCH /api/v1/namespaces/gpu-operator/configmaps/mig-fleet-layouts {AWAY}",),
        cure="the webhook is back",
        first={"cluster": {"context": "simulated-fleet"}},
        target=RENAMED,
    ),
    Fault(
        "500 at closing a node",
        ETCD + " whenever one node is tainted",
        lambda stage: stage.refuse(CLOSE, "node-2", 500),
        Outcome.REFUSED,
        touched=FIRST,
        reads=(f"no node was relabelled: node-2 could not be closed: PATCH /api/v1/nodes/node-2 {SLOW}", OPEN_AGAIN),
        cure="the API server is well again",
        target=RENAMED,
    ),
    Fault(
        "409 at closing a node, twice",
        "somebody else writes the node between our reading and our writing",
        lambda stage: stage.refuse(CLOSE, "node-1", 409, times=2),
        Outcome.GOES_ON,
        touched=POOL,
        target=RENAMED,
    ),
    Fault(
        "409 at closing a node, always",
        "a controller rewrites the node without end",
        lambda stage: stage.refuse(CLOSE, "node-1", 409),
        Outcome.REFUSED,
        touched=FIRST,
        reads=(
            "no node was relabelled: node-1 could not be closed: PATCH /api/v1/nodes/node-1 answered 409: Operation "
            "cannot be fulfilled: the object has been modified; please apply your changes to the latest version and "
            "try again",
            OPEN_AGAIN,
        ),
        cure="the controller is stopped",
        target=RENAMED,
    ),
    Fault(
        "500 at the label of one node",
        ETCD + " from the label of one node on",
        lambda stage: stage.refuse(LABEL, "node-2", 500),
        Outcome.HALTED,
        touched=FIRST,
        closed=FIRST,
        reads=(
            "1 of 2 nodes could not be labelled:",
            f"node-2: PATCH /api/v1/nodes/node-2 {SLOW}",
            "relabelled: node-1; closed: node-1, node-2. Run the update again to go on, or open them with `kubectl "
            "taint nodes node-1 node-2 mig-fleet.dev/reconfiguring-`",
        ),
        cure="the API server is well again",
        target=RENAMED,
    ),
    Fault(
        "a label whose answer is lost",
        "after the server did it: MIG Manager is at work already when we ask again",
        lambda stage: stage.refuse(LABEL, "node-1", "lost", times=1),
        Outcome.GOES_ON,
        touched=POOL,
    ),
    Fault(
        "an API server that is away for a moment while a wave is verified",
        "it restarts: every line breaks, then it answers again",
        lambda stage: at_verification(stage, (None, ".", "reset", 8)),
        Outcome.GOES_ON,
        touched=POOL,
    ),
    Fault(
        "an API server that stays away while a wave is verified",
        "it does not come back for longer than we are patient",
        lambda stage: at_verification(stage, ("GET", NODES, 503, None)),
        Outcome.HALTED,
        touched=FIRST,
        closed=FIRST,
        reads=(
            f"GET /api/v1/nodes {AWAY}",
            "node-1, node-2 may still be closed; run the update again once the cluster answers.",
        ),
        cure="it is back",
        target=RENAMED,
    ),
    Fault(
        "500 at the mark of a verified node",
        ETCD + " after all is well",
        lambda stage: stage.refuse(VERIFIED, "node-2", 500),
        Outcome.FAILED,
        touched=FIRST,
        reads=(
            "all nodes of train-wave-00 are as declared, but node-2 is not marked as verified: PATCH "
            f"/api/v1/nodes/node-2 {SLOW}",
            "Run the update again",
        ),
        cure="the API server is well again",
        target=RENAMED,
    ),
    Fault(
        "500 at opening a node",
        ETCD + " at the very last step",
        lambda stage: stage.refuse(OPEN, "node-1", 500),
        Outcome.HALTED,
        touched=FIRST,
        closed=("node-1",),
        reads=(
            "all nodes of train-wave-00 are as declared, but node-1 may still be closed: PATCH "
            f"/api/v1/nodes/node-1 {SLOW}",
            "Run the update again, or open with `kubectl taint nodes node-1 mig-fleet.dev/reconfiguring-`",
        ),
        cure="the API server is well again",
        target=RENAMED,
    ),
    Fault(
        "commands in pods are forbidden",
        "the user's role lacks `pods/exec`: what MIG Manager sees of the layout file is not known, so it is given time",
        lambda stage: stage.api.answer("GET", EXEC, 403),
        Outcome.GOES_ON,
        touched=POOL,
        target=RENAMED,
    ),
    Fault(
        "500 at an eviction",
        "an admission webhook on evictions is away",
        lambda stage: (stage.run("node-1", owner="Deployment"), stage.api.answer("POST", EVICTION, 500)),
        Outcome.REFUSED,
        touched=FIRST,
        previews=(f"disrupts: node-1: {HOLDS}",),
        reads=(f"no node was relabelled: POST {EVICTED} {SLOW}", OPEN_AGAIN),
        rollout={"on_user_pods": "evict", "timeout_s": 3},
        cure="the webhook is back",
        end=lambda stage: stage.clear(),
        target=RENAMED,
    ),
]

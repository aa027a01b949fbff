"""The rights of a probe in the real API server, with a token as the kubelet gives it to a probe's pod."""

import asyncio
import contextlib
import json
import os
import shutil
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pulumi
import pytest

from mig_fleet.components.probe import MigProbe, MigProbeArgs
from mig_fleet.model import labels
from mig_fleet.model.errors import InvalidReport
from mig_fleet.model.report import Report
from mig_fleet.simulator import Fleet
from mig_fleet.simulator.driver import DriverFile
from mig_fleet.simulator.driver.library import STATE_VARIABLE
from mig_fleet.simulator.errors import ApiError
from tests.conftest import ADriver
from tests.probe.conftest import ROOT

pytestmark = pytest.mark.engine

NAMESPACE = "probes-under-test"
REPORTS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
NODE, OTHER = "gpu-node-1", "gpu-node-2"
OWN_NODE = "a probe may write the report of its own node and nothing else"
PATIENCE_S = 180.0
"""On a busy machine a process may take a minute to start."""
PATHS = {
    "Namespace": "/api/v1/namespaces",
    "ServiceAccount": f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts",
    "Role": f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}/roles",
    "RoleBinding": f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}/rolebindings",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "ValidatingAdmissionPolicy": "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
}
"""Kind → collection of each object that defines the probe's rights; not its program and its pods."""


class Probe:
    """A client with the token of the probe's service account."""

    def __init__(self, fleet: Fleet, token: str) -> None:
        self._server = fleet.status().server
        self._tls = ssl.create_default_context(cafile=str(fleet.directory / "pki" / "ca.crt"))
        self._token = token

    def request(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """Status and message of the answer."""
        request = urllib.request.Request(f"{self._server}{path}", json.dumps(body).encode(), method=method)
        request.add_header("Authorization", f"Bearer {self._token}")
        kind = "merge-patch+json" if method == "PATCH" else "json"
        request.add_header("Content-Type", f"application/{kind}")
        try:
            with urllib.request.urlopen(request, context=self._tls, timeout=10) as answer:
                return answer.status, ""
        except urllib.error.HTTPError as exc:
            return exc.code, str(json.load(exc)["message"])

    def publish(self, node: str) -> tuple[int, str]:
        """Changes the heartbeat of a node's report."""
        annotations = {labels.HEARTBEAT: str(time.monotonic_ns())}
        return self.request("PATCH", report_of(node), {"metadata": {"annotations": annotations}})


def report_of(node: str) -> str:
    return f"{REPORTS}/{labels.REPORT_PREFIX}{node}"


def a_report(**metadata: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {labels.REPORT_KEY: "{}"}}


def declared() -> list[dict[str, Any]]:
    """The objects that the component registers, in the order of PATHS."""
    found: list[dict[str, Any]] = []

    class Recorder(pulumi.runtime.Mocks):
        def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[Any, Any]]:
            if args.inputs.get("kind") in PATHS:
                found.append(args.inputs)
            return args.name, dict(args.inputs)

        def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], None]:  # noqa: ARG002
            return {}, None

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)  # the mocks need one
    pulumi.runtime.set_mocks(Recorder(), preview=False)
    probe: MigProbeArgs = {"namespace": NAMESPACE, "image": "python", "interval_seconds": 15.0}
    pulumi.runtime.test(lambda: MigProbe("probe", probe))()  # type: ignore[no-untyped-call]
    asyncio.set_event_loop(None)
    loop.close()
    return sorted(found, key=lambda item: list(PATHS).index(item["kind"]))


def token_of(fleet: Fleet, bound: dict[str, str] | None) -> str:
    spec: dict[str, Any] = {} if bound is None else {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", **bound}}
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    account = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{labels.PROBE}"
    return str(fleet.call("create", f"{account}/token", request)["status"]["token"])


@pytest.fixture(scope="module")
def rights(fleet: Fleet) -> Iterator[Fleet]:
    """The fleet with the probe's rights, the reports of two nodes, and the admission policy in force."""
    objects = declared()
    assert {item["kind"] for item in objects} == set(PATHS), "a kind that the component no longer registers"
    try:
        for item in objects:
            # A stack that another test deployed may have its own; that test's next update restores it.
            with contextlib.suppress(ApiError):
                fleet.call("delete", f"{PATHS[item['kind']]}/{item['metadata']['name']}")
            fleet.call("create", PATHS[item["kind"]], item)
        for node in (NODE, OTHER):
            fleet.call("create", REPORTS, a_report(name=f"{labels.REPORT_PREFIX}{node}"))
        unbound = Probe(fleet, token_of(fleet, None))
        deadline = time.monotonic() + PATIENCE_S
        # The API server enforces a new policy a moment after it was created.
        while unbound.publish(NODE)[0] != 403:
            assert time.monotonic() < deadline, "the policy is not enforced"
            time.sleep(0.05)
        yield fleet
    finally:
        for item in reversed(objects):
            with contextlib.suppress(ApiError):
                fleet.call("delete", f"{PATHS[item['kind']]}/{item['metadata']['name']}")


@pytest.fixture(scope="module")
def token(rights: Fleet) -> str:
    """The token of a probe's pod on the first node."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a-probe"},
        "spec": {
            "nodeName": NODE,
            "serviceAccountName": labels.PROBE,
            "containers": [{"name": "main", "image": "simulated"}],
        },
    }
    made = rights.call("create", f"/api/v1/namespaces/{NAMESPACE}/pods", pod)["metadata"]
    return token_of(rights, {"name": made["name"], "uid": made["uid"]})


@pytest.fixture
def probe(rights: Fleet, token: str) -> Probe:
    """A probe on the first node."""
    return Probe(rights, token)


def test_a_probe_writes_the_report_of_its_own_node(probe: Probe) -> None:
    assert probe.publish(NODE) == (200, "")


def test_a_probe_cannot_change_the_report_of_another_node(probe: Probe) -> None:
    status, message = probe.publish(OTHER)
    assert status == 403 and OWN_NODE in message


@pytest.mark.parametrize(
    "metadata",
    [{"name": f"{labels.REPORT_PREFIX}gpu-node-3"}, {"name": "anything"}, {"generateName": labels.REPORT_PREFIX}],
    ids=["a report of another node", "no report", "a name from the API server"],
)
def test_a_probe_cannot_create_another_config_map(probe: Probe, metadata: dict[str, str]) -> None:
    status, message = probe.request("POST", REPORTS, a_report(**metadata))
    assert status == 403 and OWN_NODE in message


def test_a_token_that_is_not_bound_to_a_pod_can_write_nothing(rights: Fleet) -> None:
    status, message = Probe(rights, token_of(rights, None)).publish(NODE)
    assert status == 403 and OWN_NODE in message, "such as that of `kubectl create token`: it has no node"


def test_a_probe_may_read_a_node_by_name(probe: Probe) -> None:
    assert probe.request("GET", f"/api/v1/nodes/{NODE}") == (200, "")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/namespaces/default/configmaps"),
        ("PATCH", f"/api/v1/namespaces/gpu-operator/configmaps/{labels.LAYOUTS_CONFIG_MAP}"),
        ("GET", report_of(NODE)),
        ("DELETE", report_of(NODE)),
        ("GET", REPORTS),
        ("GET", "/api/v1/nodes"),
        ("PATCH", f"/api/v1/nodes/{NODE}"),
        ("GET", "/api/v1/pods"),
        ("GET", f"/api/v1/namespaces/{NAMESPACE}/secrets"),
    ],
)
def test_everything_else_is_forbidden(probe: Probe, method: str, path: str) -> None:
    status, _ = probe.request(method, path, a_report(name=f"{labels.REPORT_PREFIX}{NODE}"))
    assert status == 403


def test_a_probe_may_watch_a_node(probe: Probe) -> None:
    selected = f"watch=true&fieldSelector=metadata.name%3D{NODE}&timeoutSeconds=1"
    assert probe.request("GET", f"/api/v1/nodes?{selected}") == (200, "")


def test_the_probe_needs_no_other_rights_and_restores_a_deleted_report(
    running: Callable[..., "contextlib.AbstractContextManager[Running]"], rights: Fleet
) -> None:
    with running("--interval", "0.2", "--heartbeat", "1") as probe:
        assert published(rights, probe).counts() == ({"1g.10gb": 1, "3g.40gb": 1},)
        rights.call("delete", report_of(NODE))
        assert published(rights, probe).node == NODE


def test_a_change_of_the_node_is_reported_long_before_the_next_reading(
    running: Callable[..., "contextlib.AbstractContextManager[Running]"], rights: Fleet
) -> None:
    """No reading is due for a day."""
    with running("--interval", "86400", "--heartbeat", "86400") as probe:
        published(rights, probe)
        for number, state in enumerate(("pending", "success", "failed", "pending", "success"), 1):
            metadata = {"labels": {labels.STATE: state}, "annotations": {labels.ATTEMPT: str(number)}}
            rights.call("patch", f"/api/v1/nodes/{NODE}", {"metadata": metadata})
            if state != "pending":
                published(rights, probe, state, str(number))


def test_a_probe_of_the_new_version_with_the_rights_of_an_older_one_says_so_once_and_polls(
    running: Callable[..., "contextlib.AbstractContextManager[Running]"], rights: Fleet
) -> None:
    role = f"{PATHS['ClusterRole']}/{labels.PROBE}"
    rules = rights.call("get", role)["rules"]
    try:
        rights.call("patch", role, {"rules": [{**rules[0], "verbs": ["get"]}]})
        forbidden_by(rights, "watch", "nodes")
        with running("--interval", "0.2", "--heartbeat", "1") as probe:
            published(rights, probe)
            rights.call("patch", f"/api/v1/nodes/{NODE}", {"metadata": {"labels": {labels.STATE: "failed"}}})
            published(rights, probe, "failed")
        assert probe.log.read_text().count("cannot be watched") == 1
        assert "so it is read every 0.2 s: WATCH /api/v1/nodes/gpu-node-1: answered 403: " in probe.log.read_text()
    finally:
        rights.call("patch", role, {"rules": rules})


@dataclass
class Running:
    """A probe's process, and its log."""

    process: "subprocess.Popen[bytes]"
    log: Path


@pytest.fixture
def running(
    rights: Fleet, token: str, a_driver: ADriver, nvml_folder: Path, tmp_path: Path
) -> Callable[..., "contextlib.AbstractContextManager[Running]"]:
    """Runs a probe of the first node, with these arguments and the node's real rights."""
    (tmp_path / "token").write_text(token)
    (tmp_path / "namespace").write_text(NAMESPACE)
    shutil.copy(rights.directory / "pki" / "ca.crt", tmp_path / "ca.crt")
    DriverFile(tmp_path / "driver").write(a_driver("3g.40gb", "1g.10gb"))
    server = urlsplit(rights.status().server or "")
    environment = {
        **os.environ,
        "KUBERNETES_SERVICE_HOST": str(server.hostname),
        "KUBERNETES_SERVICE_PORT": str(server.port),
        "MIG_PROBE_CREDENTIALS": str(tmp_path),
        "LD_LIBRARY_PATH": str(nvml_folder),
        STATE_VARIABLE: str(tmp_path / "driver"),
    }
    command = [sys.executable, "-m", "mig_fleet.probe", "watch", "--node", NODE]

    @contextlib.contextmanager
    def run(*arguments: str) -> Iterator[Running]:
        with contextlib.suppress(ApiError):
            rights.call("delete", report_of(NODE))
        log = tmp_path / "log"
        with (
            log.open("w") as file,
            subprocess.Popen([*command, *arguments], cwd=ROOT, env=environment, stderr=file) as process,
        ):
            try:
                yield Running(process, log)
            finally:
                process.terminate()
            assert process.wait(10) == 0, log.read_text()

    return run


def forbidden_by(fleet: Fleet, verb: str, resource: str) -> None:
    """Returns once the API server refuses it to the probes: a changed role counts a moment later."""
    user = f"system:serviceaccount:{NAMESPACE}:{labels.PROBE}"
    asked = {"spec": {"user": user, "resourceAttributes": {"verb": verb, "resource": resource, "version": "v1"}}}
    deadline = time.monotonic() + PATIENCE_S
    while fleet.call("create", "/apis/authorization.k8s.io/v1/subjectaccessreviews", asked)["status"]["allowed"]:
        assert time.monotonic() < deadline, "the role is not enforced"
        time.sleep(0.05)


def published(fleet: Fleet, probe: Running, state: str | None = None, attempt: str | None = None) -> Report:
    """The node's report after the probe has written it, with this state and attempt if they are given."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        with contextlib.suppress(ApiError, InvalidReport):
            found = Report.from_json(fleet.call("get", report_of(NODE))["data"][labels.REPORT_KEY])
            if (state or found.state) == found.state and (attempt or found.attempt) == found.attempt:
                return found
        assert probe.process.poll() is None and time.monotonic() < deadline, f"no report: {probe.log.read_text()}"
        time.sleep(0.1)

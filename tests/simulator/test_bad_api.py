"""An API server with bad days, in front of the real one."""

import time
from collections.abc import Iterator

import pytest
from kubernetes import client, config
from kubernetes.stream import stream
from urllib3.exceptions import HTTPError

from mig_fleet.simulator.bad_api import BadApi, Call
from tests.simulator.site import NAMESPACE, Site

pytestmark = pytest.mark.engine

NODE = "/api/v1/nodes/hopper-1"


@pytest.fixture
def api(site: Site) -> Iterator[BadApi]:
    with site.fleet.bad_api() as api:
        yield api


@pytest.fixture
def core(api: BadApi) -> client.CoreV1Api:
    """The client library, without patience: one attempt, two seconds."""
    settings = client.Configuration()
    settings.retries = False
    config.load_kube_config(str(api.kubeconfig), client_configuration=settings)
    return client.CoreV1Api(client.ApiClient(settings))


def annotate(core: client.CoreV1Api, value: str, node: str = "hopper-1") -> None:
    core.patch_node(node, {"metadata": {"annotations": {"example.com/note": value}}}, _request_timeout=2)


def note(site: Site) -> str | None:
    found: str | None = site.node("hopper-1")["metadata"]["annotations"].get("example.com/note")
    return found


def test_without_trouble_it_passes_everything_on_and_remembers_it(site, api, core):
    assert len(core.list_node().items) == 3
    annotate(core, "passed on")
    assert note(site) == "passed on"
    assert api.calls() == [Call("GET", "/api/v1/nodes", 200), Call("PATCH", NODE, 200)]
    assert api.nodes_written() == {"hopper-1"}
    with pytest.raises(client.ApiException) as refused:
        core.read_node("nobody")
    assert refused.value.status == 404, "the real server's refusals are passed on too"
    api.well()
    assert api.calls() == []


@pytest.mark.parametrize(
    ("status", "reason"),
    [(409, "Conflict"), (429, "TooManyRequests"), (500, "InternalError"), (503, "ServiceUnavailable")],
)
def test_a_refusal_is_worded_as_the_real_server_words_it_and_changes_nothing(site, api, core, status, reason):
    annotate(core, "before")
    api.answer("PATCH", "/nodes/", status, times=1, skip=1, retry_after=7)
    annotate(core, "the first passes")
    with pytest.raises(client.ApiException) as refused:
        annotate(core, "refused")
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (status, "7")
    assert reason in refused.value.body
    assert note(site) == "the first passes"
    annotate(core, "once was enough")
    assert note(site) == "once was enough"
    assert [call.status for call in api.calls("PATCH")] == [200, 200, status, 200]
    assert api.nodes_written() == {"hopper-1"}


@pytest.mark.parametrize(("trouble", "arrived"), [("reset", False), ("lost", True)])
def test_a_broken_connection_says_nothing_about_what_was_done(site, api, core, trouble, arrived):
    annotate(core, "before")
    api.answer("PATCH", f"^{NODE}$", trouble)
    with pytest.raises(HTTPError):
        annotate(core, "after")
    assert note(site) == ("after" if arrived else "before")
    assert api.calls("PATCH")[-1].status == 0


def test_silence_lasts_as_long_as_the_client_waits(site, api, core):
    annotate(core, "before")
    api.answer("PATCH", "/nodes/", "timeout")
    began = time.monotonic()
    with pytest.raises(HTTPError, match="timed out"):
        annotate(core, "never")
    assert time.monotonic() - began >= 2
    assert note(site) == "before"
    assert len(core.list_node().items) == 3, "other requests are answered"


def test_something_can_happen_just_before_a_request_arrives(site, api, core):
    api.when("PATCH", NODE, lambda: site.fleet.call("patch", NODE, {"metadata": {"labels": {"by-hand": "yes"}}}))
    answered = core.patch_node("hopper-1", {"metadata": {"annotations": {"example.com/note": "later"}}})
    assert answered.metadata.labels["by-hand"] == "yes", "it was there first"
    site.patch_labels("hopper-1", {"by-hand": None})


def test_what_happens_before_a_request_also_happens_before_its_repetition(site, api, core):
    annotate(core, "before")
    seen = []

    def slow():
        time.sleep(2.5)
        seen.append(note(site))

    api.when("PATCH", NODE, slow)
    with pytest.raises(HTTPError, match="timed out"):
        annotate(core, "given up")
    annotate(core, "asked again")
    assert seen == ["before"], "neither of the two was passed on meanwhile"
    assert note(site) == "asked again"


def test_only_its_own_clients_notice_and_the_fleet_goes_on(site, api):
    api.answer(None, ".", 500)
    site.assign("hopper-1", "dense")
    site.settled("hopper-1", "dense")
    assert api.calls() == []


def test_watches_and_commands_go_through_as_well(site, api, core):
    found = core.list_node(_preload_content=False).headers["Content-Type"]
    assert found == "application/json"
    watch = core.list_node(watch=True, _preload_content=False)
    assert watch.readline().startswith(b'{"type":"ADDED"')
    watch.release_conn()
    pod = site.pods("nvidia-mig-manager", "hopper-1")[0]["metadata"]["name"]
    command = ["nvidia-mig-parted", "frob"]
    ask = core.connect_get_namespaced_pod_exec
    socket = stream(ask, pod, NAMESPACE, command=command, stdout=True, stderr=True, _preload_content=False)
    socket.run_forever(timeout=10)
    assert socket.returncode == 3


def test_trouble_can_be_for_what_a_request_wants(site, api, core):
    api.answer("PATCH", "/nodes/", 500, body='"second"')
    annotate(core, "first")
    with pytest.raises(client.ApiException):
        annotate(core, "second")
    assert note(site) == "first"

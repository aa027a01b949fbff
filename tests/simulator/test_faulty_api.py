"""The proxy that lets requests to the real API server fail."""

import time
from collections.abc import Iterator

import pytest
from kubernetes import client, config
from urllib3.exceptions import HTTPError

from mig_fleet.simulator.faulty_api import Call, FaultyApi
from mig_fleet.simulator.faulty_api.rules import ApiFault
from tests.simulator.commands import execute
from tests.simulator.site import Site

pytestmark = pytest.mark.engine

NODE = "/api/v1/nodes/hopper-1"


@pytest.fixture
def api(site: Site) -> Iterator[FaultyApi]:
    with site.fleet.faulty_api() as api:
        yield api


@pytest.fixture
def core(api: FaultyApi) -> "Iterator[client.CoreV1Api]":
    """The Kubernetes client without retries; :func:`annotate` has a timeout of two seconds."""
    settings = client.Configuration()
    settings.retries = False
    config.load_kube_config(str(api.kubeconfig), client_configuration=settings)
    core = client.CoreV1Api(client.ApiClient(settings))
    yield core
    core.api_client.close()


def annotate(core: "client.CoreV1Api", value: str, node: str = "hopper-1") -> None:
    core.patch_node(node, {"metadata": {"annotations": {"example.com/note": value}}}, _request_timeout=2)


def note(site: Site) -> str | None:
    found: str | None = site.node("hopper-1")["metadata"]["annotations"].get("example.com/note")
    return found


def test_without_rules_it_forwards_and_records_all_requests(
    site: Site, api: FaultyApi, core: "client.CoreV1Api"
) -> None:
    assert len(core.list_node().items) == 3
    annotate(core, "forwarded")
    assert note(site) == "forwarded"
    assert api.calls() == [Call("GET", "/api/v1/nodes", 200), Call("PATCH", NODE, 200)]
    assert api.nodes_written() == {"hopper-1"}
    with pytest.raises(client.ApiException) as refused:
        core.read_node("unknown")
    assert refused.value.status == 404, "errors of the real server are forwarded too"
    api.reset()
    assert api.calls() == []


@pytest.mark.parametrize(
    ("status", "reason"),
    [(409, "Conflict"), (429, "TooManyRequests"), (500, "InternalError"), (503, "ServiceUnavailable")],
)
def test_an_error_response_has_the_real_servers_text_and_changes_nothing(
    site: Site, api: FaultyApi, core: "client.CoreV1Api", status: int, reason: str
) -> None:
    annotate(core, "before")
    api.answer("PATCH", "/nodes/", status, times=1, skip=1, retry_after=7)
    annotate(core, "the first passes")
    with pytest.raises(client.ApiException) as refused:
        annotate(core, "refused")
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (status, "7")
    assert reason in refused.value.body
    assert note(site) == "the first passes"
    annotate(core, "after the fault")
    assert note(site) == "after the fault"
    assert [call.status for call in api.calls("PATCH")] == [200, 200, status, 200]
    assert api.nodes_written() == {"hopper-1"}


@pytest.mark.parametrize(("fault", "arrived"), [("reset", False), ("lost", True)])
def test_after_a_broken_connection_the_write_may_or_may_not_be_done(
    site: Site, api: FaultyApi, core: "client.CoreV1Api", fault: ApiFault, arrived: bool
) -> None:
    annotate(core, "before")
    api.answer("PATCH", f"^{NODE}$", fault)
    with pytest.raises(HTTPError):
        annotate(core, "after")
    assert note(site) == ("after" if arrived else "before")
    assert api.calls("PATCH")[-1].status == 0


def test_a_timeout_lasts_until_the_client_gives_up(site: Site, api: FaultyApi, core: "client.CoreV1Api") -> None:
    annotate(core, "before")
    api.answer("PATCH", "/nodes/", "timeout")
    began = time.monotonic()
    with pytest.raises(HTTPError, match="timed out"):
        annotate(core, "never")
    assert time.monotonic() - began >= 2
    assert note(site) == "before"
    assert len(core.list_node().items) == 3, "other requests get a response"


def test_a_function_can_run_just_before_a_request_is_forwarded(
    site: Site, api: FaultyApi, core: "client.CoreV1Api"
) -> None:
    api.when("PATCH", NODE, lambda: site.fleet.call("patch", NODE, {"metadata": {"labels": {"by-hand": "yes"}}}))
    response = core.patch_node("hopper-1", {"metadata": {"annotations": {"example.com/note": "later"}}})
    assert response.metadata.labels["by-hand"] == "yes", "the function ran first"
    site.patch_labels("hopper-1", {"by-hand": None})


def test_a_retry_waits_for_the_function_too(site: Site, api: FaultyApi, core: "client.CoreV1Api") -> None:
    annotate(core, "before")
    seen: list[str | None] = []

    def slow() -> None:
        time.sleep(2.5)
        seen.append(note(site))

    api.when("PATCH", NODE, slow)
    with pytest.raises(HTTPError, match="timed out"):
        annotate(core, "timed out")
    annotate(core, "retried")
    assert seen == ["before"], "neither of the two requests was forwarded meanwhile"
    assert note(site) == "retried"


def test_faults_affect_only_the_clients_of_the_proxy(site: Site, api: FaultyApi) -> None:
    api.answer(None, ".", 500)
    site.assign("hopper-1", "dense")
    site.wait_for_success("hopper-1", "dense")
    assert api.calls() == []


def test_watches_and_commands_are_forwarded(site: Site, api: FaultyApi, core: "client.CoreV1Api") -> None:
    found = core.list_node(_preload_content=False).headers["Content-Type"]
    assert found == "application/json"
    watch = core.list_node(watch=True, _preload_content=False)
    assert watch.readline().startswith(b'{"type":"ADDED"')
    watch.release_conn()
    pod = site.pods("nvidia-mig-manager", "hopper-1")[0]["metadata"]["name"]
    command = ["nvidia-mig-parted", "frob"]
    assert execute(core, pod, *command)[0] == 3


def test_a_rule_can_match_the_body_of_a_request(site: Site, api: FaultyApi, core: "client.CoreV1Api") -> None:
    api.answer("PATCH", "/nodes/", 500, body='"second"')
    annotate(core, "first")
    with pytest.raises(client.ApiException):
        annotate(core, "second")
    assert note(site) == "first"

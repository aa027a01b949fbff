"""Commands in MIG Manager's container, by way of the real API server and the client library that everybody uses."""

import time

import pytest
from kubernetes import client, config
from kubernetes.stream import stream

from mig_fleet.model import labels
from mig_fleet.simulator import Fault
from tests.simulator.site import LAYOUTS, NAMESPACE, Site, config_map

pytestmark = pytest.mark.engine

FILE = "/mig-parted-config/config.yaml"
PROJECTION_S = 5
"""Of the fault; what arrives earlier was not waited for."""


@pytest.fixture
def manager(site: Site):
    """Runs a command in the manager's pod on a node: exit status, standard output, standard error."""
    config.load_kube_config(str(site.fleet.kubeconfig))
    core = client.CoreV1Api()

    def run(node: str, *words: str, app: str = "nvidia-mig-manager") -> tuple[int, str, str]:
        pod = site.pods(app, node)[0]["metadata"]["name"]
        socket = stream(
            core.connect_get_namespaced_pod_exec,
            pod,
            NAMESPACE,
            command=list(words),
            stdout=True,
            stderr=True,
            _preload_content=False,
        )
        socket.run_forever(timeout=10)
        return socket.returncode, socket.read_stdout(), socket.read_stderr()

    return run


def valid(name: str) -> tuple[str, ...]:
    return ("nvidia-mig-parted", "assert", "--valid-config", "--config-file", FILE, "--selected-config", name)


def test_a_config_that_is_in_the_file_is_valid_and_another_one_is_not(manager):
    assert manager("hopper-1", *valid("dense")) == (0, "Selected MIG configuration is valid\n", "")
    short = ("/usr/bin/nvidia-mig-parted", "assert", "-a", "-f", FILE, "-c", "dense")
    assert manager("hopper-1", *short)[0] == 0
    code, out, said = manager("hopper-1", *valid("never-heard-of"))
    assert (code, out) == (1, "")
    assert 'msg="Error selecting MIG config: selected mig-config not present: never-heard-of"' in said


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("nvidia-mig-parted", "assert", "-a", "-f", "/none.yaml", "-c", "dense"), 1, "no such file or directory"),
        (("nvidia-mig-parted", "assert", "-a", "-f", FILE), 1, "missing required flag 'selected-config'"),
        (("nvidia-mig-parted", "assert", "-a", "-c", "dense"), 1, "Missing required flags 'config-file'"),
        (("nvidia-mig-parted", "assert", "-f", FILE, "-c", "dense"), 1, "not currently applied"),
        (("nvidia-mig-parted", "frob"), 3, "No help topic for 'frob'"),
        (("nvidia-smi",), 127, "nvidia-smi: not found"),
    ],
    ids=["no file", "no config", "no file flag", "not applied", "no subcommand", "no program"],
)
def test_what_cannot_be_run_says_so_and_has_an_exit_status(manager, words, code, said):
    found, _, text = manager("hopper-1", *words)
    assert found == code and said in text


def test_other_containers_have_no_such_program(manager):
    assert manager("hopper-1", *valid("dense"), app="gpu-feature-discovery")[0] == 127


def test_a_late_file_arrives_at_once_where_the_pod_is_annotated(site, manager):
    """The way past the propagation race: touch the manager's pod, then look into it."""
    for node in ("hopper-1", "hopper-2"):
        site.fleet.inject(node, Fault.CONFIG_MAP_LATE)
    path = f"/api/v1/namespaces/{NAMESPACE}/configmaps/{labels.LAYOUTS_CONFIG_MAP}"
    newer = {**LAYOUTS, "freshly-written": LAYOUTS["dense"]}
    began = time.monotonic()
    site.fleet.call("patch", path, {"data": config_map(newer)["data"]})
    pod = site.pods("nvidia-mig-manager", "hopper-1")[0]["metadata"]["name"]
    touched = {"metadata": {"annotations": {"example.com/touched": "yes"}}}
    site.fleet.call("patch", f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}", touched)
    site.eventually(lambda: manager("hopper-1", *valid("freshly-written"))[0] == 0, "the touched pod sees it")
    if time.monotonic() - began < PROJECTION_S:
        assert manager("hopper-2", *valid("freshly-written"))[0] == 1, "each pod has its own view"
    site.eventually(lambda: manager("hopper-2", *valid("freshly-written"))[0] == 0, "it comes to all in the end")
    assert time.monotonic() - began >= PROJECTION_S

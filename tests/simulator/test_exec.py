"""Commands in MIG Manager's container, through the real API server and the Kubernetes client library."""

import time
from collections.abc import Iterator
from typing import Protocol

import pytest
from kubernetes import client, config

from mig_fleet.model import labels
from mig_fleet.simulator import Fault
from tests.simulator.commands import execute
from tests.simulator.site import LAYOUTS, NAMESPACE, Site, config_map

pytestmark = pytest.mark.engine

FILE = "/mig-parted-config/config.yaml"
PROJECTION_S = 5
"""The delay of the fault."""


class Manager(Protocol):
    """Runs a command in MIG Manager's pod on a node: exit status, standard output, standard error."""

    def __call__(self, node: str, *words: str, app: str = ...) -> tuple[int, str, str]: ...


@pytest.fixture
def manager(site: Site) -> Iterator[Manager]:
    config.load_kube_config(str(site.fleet.kubeconfig))
    core = client.CoreV1Api(client.ApiClient())

    def run(node: str, *words: str, app: str = "nvidia-mig-manager") -> tuple[int, str, str]:
        pod = site.pods(app, node)[0]["metadata"]["name"]
        return execute(core, pod, *words)

    yield run
    core.api_client.close()


def valid(name: str) -> tuple[str, ...]:
    return ("nvidia-mig-parted", "assert", "--valid-config", "--config-file", FILE, "--selected-config", name)


def test_a_config_in_the_file_is_valid_and_an_unknown_one_is_not(manager: Manager) -> None:
    assert manager("hopper-1", *valid("dense")) == (0, "Selected MIG configuration is valid\n", "")
    short = ("/usr/bin/nvidia-mig-parted", "assert", "-a", "-f", FILE, "-c", "dense")
    assert manager("hopper-1", *short)[0] == 0
    code, out, err = manager("hopper-1", *valid("unknown"))
    assert (code, out) == (1, "")
    assert 'msg="Error selecting MIG config: selected mig-config not present: unknown"' in err


@pytest.mark.parametrize(
    ("words", "code", "message"),
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
def test_a_command_that_fails_has_a_message_and_an_exit_status(
    manager: Manager, words: tuple[str, ...], code: int, message: str
) -> None:
    found, _, err = manager("hopper-1", *words)
    assert found == code and message in err


def test_other_containers_do_not_have_the_program(manager: Manager) -> None:
    assert manager("hopper-1", *valid("dense"), app="gpu-feature-discovery")[0] == 127


def test_a_late_file_arrives_at_once_when_the_pods_annotations_change(site: Site, manager: Manager) -> None:
    """The remedy for the propagation race: change the annotations of MIG Manager's pod, then check the file in it."""
    for node in ("hopper-1", "hopper-2"):
        site.fleet.inject(node, Fault.CONFIG_MAP_LATE)
    path = f"/api/v1/namespaces/{NAMESPACE}/configmaps/{labels.LAYOUTS_CONFIG_MAP}"
    newer = {**LAYOUTS, "new": LAYOUTS["dense"]}
    start = time.monotonic()
    site.fleet.call("patch", path, {"data": config_map(newer)["data"]})
    pod = site.pods("nvidia-mig-manager", "hopper-1")[0]["metadata"]["name"]
    touched = {"metadata": {"annotations": {"example.com/touched": "yes"}}}
    site.fleet.call("patch", f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}", touched)
    site.eventually(lambda: manager("hopper-1", *valid("new"))[0] == 0, "the annotated pod has the new file")
    if time.monotonic() - start < PROJECTION_S:
        assert manager("hopper-2", *valid("new"))[0] == 1, "each pod has its own copy of the file"
    site.eventually(lambda: manager("hopper-2", *valid("new"))[0] == 0, "the new file reaches every pod")
    assert time.monotonic() - start >= PROJECTION_S

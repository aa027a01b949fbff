"""The verbs on pods/exec that an update needs, tested on the real API server with a token that has no other rights."""

from pathlib import Path

import pytest

from mig_fleet.cluster.client import Cluster
from mig_fleet.cluster.errors import Forbidden
from mig_fleet.observed.rights.grant import Right
from tests.restricted_user import RestrictedUser
from tests.simulator.site import NAMESPACE, Site

pytestmark = pytest.mark.engine

COMMAND = ["nvidia-mig-parted", "assert", "--valid-config", "-f", "/mig-parted-config/config.yaml", "-c", "dense"]
GET, CREATE = (Right(verb, "pods/exec", NAMESPACE) for verb in ("get", "create"))


def manager(site: Site) -> str:
    return str(site.pods("nvidia-mig-manager", "hopper-1")[0]["metadata"]["name"])


def refusal(cluster: Cluster, site: Site) -> str:
    """The error when the command is refused; empty when it runs."""
    try:
        result = cluster.execute(NAMESPACE, manager(site), COMMAND)
    except Forbidden as exc:
        return str(exc)
    assert result == (0, "Selected MIG configuration is valid")
    return ""


def test_a_command_needs_both_get_and_create(site: Site, tmp_path: Path) -> None:
    user = RestrictedUser(site.fleet, "updates", tmp_path)
    user.give_only([GET, CREATE])
    cluster = Cluster({"kubeconfig": str(user.kubeconfig)})
    site.eventually(lambda: not refusal(cluster, site), "it runs with both")
    for right in (GET, CREATE):
        user.give_only([right])
        site.eventually(
            lambda: "is forbidden" in refusal(cluster, site) and "-+-+-" not in refusal(cluster, site),
            f"it does not run with {right.verb} alone, and the error has no headers",
        )
        user.give_only([GET, CREATE])
        site.eventually(lambda: not refusal(cluster, site), "it runs with both again")

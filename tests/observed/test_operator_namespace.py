"""An operator that the stack leaves to its owner must be where the settings say; otherwise the message says where."""

from mig_fleet.observed.installed.operator_namespace import misplaced_operator
from tests.memory import installed
from tests.memory.installed import InstalledCluster, by_helm, by_olm

LOOKED = (
    "operator.managed is false and operator.namespace is '{}', but no pod of MIG Manager and no GPU Operator runs there"
)


def test_an_operator_in_the_namespace_of_the_settings_is_no_mistake() -> None:
    assert misplaced_operator(by_helm(), "gpu-operator") == ""
    assert misplaced_operator(by_olm(), "nvidia-gpu-operator") == ""


def test_an_operator_in_another_namespace_is_named_with_the_command_that_sets_it() -> None:
    assert misplaced_operator(by_olm(), "gpu-operator") == (
        f"{LOOKED.format('gpu-operator')}; found GPU Operator v24.9.2 in namespace 'nvidia-gpu-operator', managed by "
        "OLM's ClusterServiceVersion 'gpu-operator-certified.v24.9.2' in namespace "
        "'nvidia-gpu-operator': `pulumi config set --path mig-fleet:operator.namespace nvidia-gpu-operator`"
    )


def test_without_any_operator_the_ways_out_are_named() -> None:
    text = misplaced_operator(InstalledCluster(), "gpus")
    assert text.startswith(f"{LOOKED.format('gpus')}, and none was found in the cluster; install it,")
    assert "`pulumi config set --path mig-fleet:operator.managed true`" in text


def test_what_may_not_be_read_is_no_proof_that_there_is_no_operator() -> None:
    cluster = by_olm()
    for path in (installed.POLICIES, installed.DEPLOYMENTS, installed.DAEMON_SETS):
        cluster.forbid(path)
    text = misplaced_operator(cluster, "gpu-operator")
    assert "as far as this user may read" in text
    assert "grant the right to list deployments.apps in all namespaces" in text
    assert "none was found" not in text

"""Right before a creation, in previews too, the program asks whether the object exists; the engine's part is in
tests/engine/test_foreign_objects.py.
"""

import asyncio
from typing import Any

import pulumi
import pytest
from pulumi.runtime.mocks import MockMonitor

from mig_fleet.cluster import client
from mig_fleet.cluster.connection import ClusterArgs
from mig_fleet.cluster.errors import ClusterUnreachable
from mig_fleet.components import existing
from mig_fleet.failures import Refused
from mig_fleet.observed.installed.existing_objects import CONFIG_MAP, NAMESPACE, RELEASE
from tests.memory import installed
from tests.memory.installed import InstalledCluster

Hook = Any


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> list[Hook]:
    """The hooks that were made, which a real engine would register."""
    made: list[Hook] = []

    class Recorded(pulumi.ResourceHook):
        def __init__(self, name: str, func: Any, opts: Any = None) -> None:
            self.name, self.callback, self.opts = name, func, opts
            made.append(self)

    monkeypatch.setattr(pulumi, "ResourceHook", Recorded)
    return made


def bind(
    kind: str,
    cluster: ClusterArgs | None = None,
    among: existing.ExistingObjects | None = None,
    resource: str = "operator-namespace",
    **props: Any,
) -> pulumi.ResourceTransformationResult | None:
    args = pulumi.ResourceTransformationArgs(Any, kind, resource, props, pulumi.ResourceOptions())  # type: ignore[arg-type]  # the resource is not used
    among = among or existing.ExistingObjects(cluster or {}, "gpu-operator")
    return among.transform(args)


def create(hook: Hook, **inputs: Any) -> None:
    """What the engine does before it creates the resource."""
    asyncio.run(hook.callback(pulumi.ResourceHookArgs("urn", "", "name", "type", new_inputs=inputs)))


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> InstalledCluster:
    found = installed.by_helm()
    found.lists["/api/v1/namespaces"] = [{"metadata": {"name": installed.NAMESPACE}}]
    monkeypatch.setattr(client, "Cluster", lambda _args: found)
    return found


@pytest.mark.parametrize("kind", [NAMESPACE, CONFIG_MAP, RELEASE])
def test_the_hook_is_bound_before_a_creation_and_runs_in_previews(kind: str, hooks: list[Hook]) -> None:
    bound = bind(kind)
    assert bound is not None
    assert bound.opts.hooks is not None
    assert bound.opts.hooks.before_create == hooks
    assert [hook.opts.on_dry_run for hook in hooks] == [True]


def test_other_resources_have_no_hook(hooks: list[Hook]) -> None:
    assert bind("kubernetes:apps/v1:DaemonSet") is None
    assert hooks == []


def test_mocks_have_no_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    monitor = MockMonitor(None)  # type: ignore[arg-type]  # no resource is registered
    monkeypatch.setattr(existing, "get_monitor", lambda: monitor)
    existing.refuse_existing_objects({})


def test_a_namespace_that_exists_is_refused(hooks: list[Hook], cluster: InstalledCluster) -> None:
    bind(NAMESPACE)
    with pytest.raises(Refused, match=r"Namespace gpu-operator exists already"):
        create(hooks[0], metadata={"name": installed.NAMESPACE})
    create(hooks[0], metadata={"name": "new"})
    assert "/api/v1/namespaces/new" in cluster.requests


def test_the_release_that_the_program_registers_later_is_taken_over_with_its_namespace(
    hooks: list[Hook], cluster: InstalledCluster
) -> None:
    among = existing.ExistingObjects({}, "gpu-operator")
    bind(NAMESPACE, among=among)
    bind(RELEASE, among=among, resource="gpu-operator-release", name="gpu-operator")
    with pytest.raises(Refused, match=r'"name":"operator-namespace".*"name":"gpu-operator-release"'):
        create(hooks[0], metadata={"name": installed.NAMESPACE})


def test_a_name_that_a_preview_does_not_know_is_not_looked_up(hooks: list[Hook], cluster: InstalledCluster) -> None:
    bind(NAMESPACE)
    create(hooks[0], metadata={"name": pulumi.UNKNOWN})
    create(hooks[0])
    assert cluster.requests == []


def test_a_cluster_that_does_not_answer_fails_the_preview_unless_it_may_not_answer(
    hooks: list[Hook], cluster: InstalledCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.errors["/api/v1/namespaces/gpu-operator"] = ClusterUnreachable("no answer")
    warnings: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", warnings.append)
    bind(NAMESPACE)
    with pytest.raises(ClusterUnreachable):
        create(hooks[0], metadata={"name": installed.NAMESPACE})
    bind(NAMESPACE, {"onUnreachable": "warn"})
    create(hooks[1], metadata={"name": installed.NAMESPACE})
    assert warnings == ["operator-namespace: it was not checked whether the object exists: no answer"]


def test_the_hook_of_a_new_provider_checks_every_object_before_the_first_is_created(
    hooks: list[Hook], cluster: InstalledCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered: list[Any] = []
    monkeypatch.setattr(existing, "get_monitor", lambda: None)
    monkeypatch.setattr(pulumi.runtime, "register_stack_transformation", registered.append)
    binding = existing.refuse_existing_objects({}, installed.NAMESPACE)
    assert binding is not None
    assert binding.before_create == hooks
    assert hooks[0].opts is None, "a preview calls the hooks of the objects"
    create(hooks[0])
    metadata = {"name": "mig-fleet-rules", "namespace": object()}
    props = {"metadata": metadata}
    options = pulumi.ResourceOptions()
    resource: Any = None
    registered[0](pulumi.ResourceTransformationArgs(resource, CONFIG_MAP, "monitoring-rules", props, options))
    create(hooks[0])
    cluster.config_map("mig-fleet-rules", {}, managedFields=[{"manager": "helm"}])
    with pytest.raises(Refused, match=r"ConfigMap mig-fleet-rules in namespace gpu-operator exists already"):
        create(hooks[0])


def test_the_command_for_an_object_of_a_fleet_names_its_component_and_no_credential(
    hooks: list[Hook], cluster: InstalledCluster
) -> None:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    made: Any = {"kubeconfig": pulumi.Output.secret("a-token-that-nothing-may-print"), "context": "prod"}
    among = existing.ExistingObjects(made, "gpu-operator", ("mig-fleet:index:Fleet", "gpus"))
    bind(NAMESPACE, among=among, resource="gpus-operator-namespace")
    call = pulumi.ResourceHookArgs("urn", "", "name", "type", new_inputs={"metadata": {"name": installed.NAMESPACE}})
    with pytest.raises(Refused) as refused:
        loop.run_until_complete(hooks[0].callback(call))
    asyncio.set_event_loop(None)
    loop.close()
    text = str(refused.value)
    assert '{"type":"mig-fleet:index:Fleet","name":"gpus","component":true}' in text
    assert '"name":"gpus-cluster"' in text and '"name":"gpus-operator-namespace"' in text
    assert '"parent":"gpus"' in text and '"context":"prod"' in text
    assert "mig-fleet:operator: {managed: false, namespace: gpu-operator}" in text, (
        "the way out without the fleet's name"
    )
    assert "a-token-that-nothing-may-print" not in text and "kubeconfig" not in text

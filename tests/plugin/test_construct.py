"""Components of the plugin: what they register, and what a program in another language gets for a mistake."""

from typing import Any

import grpc
import pytest
import yaml

from mig_fleet.components.serving.properties import KIND, OUTPUT
from mig_fleet.model.resource_types import COMPONENT, KINDS
from tests.plugin.plugin_process import PROVIDER, PROVIDER_ID, UNKNOWN, Plugin, secret

LAYOUT = {"gpu": "H100-80GB", "all": {"1g.10gb": 7}}
POOL = {"gpu": "H100-80GB", "gpusPerNode": 8, "nodes": ["n1"], "layout": "dense"}
CONTENTS = yaml.safe_dump({"apiVersion": "v1", "kind": "Config", "clusters": [], "users": [{"name": "top-secret"}]})


def a_fleet(**changes: Any) -> dict[str, Any]:
    """A stack file's sections, with a vendored chart."""
    operator = {"chart": "./charts/gpu-operator"}
    base = {"layouts": {"dense": LAYOUT}, "pools": {"chat": POOL}, "operator": operator}
    return {**base, "cluster": {"kubeconfig": secret(CONTENTS)}, **changes}


def output(value: Any, **flags: Any) -> dict[str, Any]:
    """A known output of another resource, as the SDKs of other languages send it."""
    return {KIND: OUTPUT, "value": value, "dependencies": ["urn:pulumi:dev::shop::a:b:C::c"], **flags}


def refusal(plugin: Plugin, kind: str, inputs: dict[str, Any]) -> str:
    """The message for inputs that are refused before anything is registered."""
    with pytest.raises(grpc.RpcError) as failed:
        plugin.construct(kind, "gpus", inputs)
    assert isinstance(failed.value, grpc.Call)
    assert failed.value.code() == grpc.StatusCode.INVALID_ARGUMENT, failed.value.details()
    assert plugin.engine.registered == []
    text = failed.value.details() or ""
    assert "Traceback" not in text and 'File "' not in text, text
    return text


def test_a_fleet_registers_its_resources_under_the_types_of_the_plugin_with_the_programs_own_provider(
    plugin: Plugin,
) -> None:
    constructed = plugin.construct("Fleet", "gpus", a_fleet())
    assert constructed.urn.endswith("::mig-fleet:index:Fleet::gpus")
    ours = [each for each in plugin.engine.registered if each.custom and each.type.startswith(COMPONENT)]
    assert {each.type.removeprefix(COMPONENT) for each in ours} == {*KINDS}
    assert {each.provider for each in ours} == {f"{PROVIDER}::{PROVIDER_ID}"}
    assert not any("__provider" in each.object for each in ours), "nothing of a dynamic provider"
    assert {each.name.partition("-")[0] for each in plugin.engine.registered} == {"gpus"}
    assert constructed.state["strategy"] == "mixed"
    assert constructed.state["capacity"]["nvidia.com/mig-1g.10gb"] == 56


def test_the_contents_of_a_kubeconfig_are_a_secret_of_every_resource_that_has_them(plugin: Plugin) -> None:
    plugin.construct("Fleet", "gpus", a_fleet())
    text = "top-secret"
    holding = [each for each in plugin.engine.registered if text in str(each.object)]
    assert {each.type for each in holding} >= {"pulumi:providers:kubernetes", "mig-fleet:index:Assignment"}
    for each in holding:
        value = each.object["kubeconfig"] if "kubeconfig" in each.object else each.object["cluster"]
        found = value if KIND in value else value["kubeconfig"]
        assert found[KIND] == secret("")[KIND] or found["secret"], each.type


def test_a_chart_that_is_a_path_has_no_repository(plugin: Plugin) -> None:
    """YAML and TypeScript cannot say `repository: null`: their SDKs leave it out."""
    plugin.construct("Fleet", "gpus", a_fleet())
    (release,) = [each for each in plugin.engine.registered if each.type == "kubernetes:helm.sh/v3:Release"]
    assert release.object["chart"] == "./charts/gpu-operator"
    assert "repositoryOpts" not in release.object or not release.object["repositoryOpts"]


def test_every_mistake_in_a_fleet_is_one_message_that_names_the_properties(plugin: Plugin) -> None:
    layouts = {"dense": {"gpu": "H100-80GB", "all": {"3g.40gb": 3}}}
    text = refusal(plugin, "Fleet", a_fleet(layouts=layouts, pools={"chat": {**POOL, "layuot": "dense", "nodes": []}}))
    assert "Fleet 'gpus' has" in text
    for part in (
        "layouts.dense",
        "3g.40gb",
        "pools.chat.layuot: unknown key; did you mean 'layout'?",
        "pools.chat.nodes",
    ):
        assert part in text, text


def test_a_secret_is_in_no_message(plugin: Plugin) -> None:
    text = refusal(plugin, "Fleet", a_fleet(pools={}, operator={"values": {"driver": secret("hunter2")}, "chrat": 1}))
    assert "operator.chrat" in text and "hunter2" not in text and "top-secret" not in text


def test_a_layout_that_does_not_fit_is_refused_by_a_single_component_too(plugin: Plugin) -> None:
    layout = {"name": "dense", "gpu": "H100-80GB", "all": {"3g.40gb": 3}}
    inputs = {"cluster": {"context": "it"}, "layouts": [layout]}
    assert "layouts[0]" in refusal(plugin, "MigLayouts", inputs)
    pool = {"cluster": {"context": "it"}, "gpusPerNode": 8, "nodes": ["n1"], "layout": layout}
    assert "3g.40gb" in refusal(plugin, "Pool", pool)


def test_a_value_of_another_resource_that_is_known_is_plain_data(plugin: Plugin) -> None:
    plugin.construct("Fleet", "gpus", a_fleet(pools={"chat": {**POOL, "nodes": output(["n1", "n2"])}}))
    waves = [each for each in plugin.engine.registered if each.type == "mig-fleet:index:Assignment"]
    assert sorted(name for each in waves for name in each.object["nodeNames"].split()) == ["n1", "n2"]


def test_nodes_that_are_not_known_yet_are_refused_with_their_path(plugin: Plugin) -> None:
    text = refusal(plugin, "Fleet", a_fleet(pools={"chat": {**POOL, "nodes": UNKNOWN}}))
    assert "pools.chat.nodes: is an output, but must be known when the program runs" in text


def test_a_component_of_a_newer_version_is_named(plugin: Plugin) -> None:
    assert "has no component Quota; it has DeviceClasses, Fleet" in refusal(plugin, "Quota", {})


def test_an_input_that_is_missing_is_named(plugin: Plugin) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        plugin.construct("Pool", "chat", {"cluster": {"context": "it"}, "nodes": ["n1"]})
    assert isinstance(failed.value, grpc.Call)
    assert failed.value.code() == grpc.StatusCode.INVALID_ARGUMENT

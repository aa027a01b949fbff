"""The Fleet component: everything that a stack file holds, in any program."""

import json
import pickle
import re
import traceback
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pulumi
import pytest
import yaml

from mig_fleet import Fleet, FleetRefused
from mig_fleet.components.fleet import members
from mig_fleet.model.finding import Finding
from mig_fleet.monitoring.series import NODE
from mig_fleet.stack_file import fleet as fleets
from mig_fleet.stack_file.problems import InvalidSettings
from tests.components.fleets import (
    CONTENTS,
    DENSE,
    TOKEN,
    Engine,
    a_fleet,
    a_selected_fleet,
    event_loop,
    plain_texts,
    run,
)

CAMEL: dict[str, Any] = {
    "cluster": {"context": "prod"},
    "operator": {"version": "v26.7.0"},
    "layouts": {"dense": DENSE},
    "pools": {
        "a": {"gpu": "H100-80GB", "gpusPerNode": 2, "layout": "dense", "nodes": ["n1"]},
        "b": {"gpu": "H100-80GB", "gpusPerNode": 2.0, "layout": "dense", "nodes": ["n2"]},
    },
    "prices": {"H100-80GB": 2.0},
}
"""The same fleet as a stack file writes it; another language passes whole numbers as 2.0."""


@pytest.fixture(autouse=True)
def loop() -> Iterator[None]:
    with event_loop():
        yield


def an_output(value: Any, is_known: bool = True, is_secret: bool = False) -> pulumi.Output[str]:
    """An output of another resource of the program; a preview may not know it."""
    found: Any = pulumi.Output.from_input(value if is_known else pulumi.UNKNOWN)
    return pulumi.Output.secret(found) if is_secret else found


def test_every_resource_is_below_the_fleet_and_begins_with_its_name() -> None:
    engine = run(lambda: Fleet("gpus", a_fleet()))
    assert "gpus" in engine.names
    assert [name for name in engine.names if name != "gpus" and not name.startswith("gpus-")] == []
    assert {"gpus-a-wave-0-verified", "gpus-b-wave-0-verified", "gpus-destroy-guard"} <= {*engine.names}
    parents = {request.name: request.parent for request in engine.requests.values()}
    above = {name: parent.rpartition("::")[2] for name, parent in parents.items()}
    assert above.pop("gpus") in ("", "project-stack")
    assert all(parent == "gpus" or above[parent] == "gpus" for parent in above.values())


def test_the_rules_find_the_pool_of_each_node_by_the_waves_of_the_fleet() -> None:
    """A node is in a pool by its annotation, the name of its wave, which begins with the fleet's name."""
    engine = run(lambda: Fleet("our.gpus", a_fleet()))
    waves = {engine.inputs(name)["wave"] for name in engine.names if name.endswith("-assigned")}
    (rules,) = engine.inputs("our.gpus-monitoring-rules")["data"].values()
    (node,) = (each for each in rule_records(rules) if each["record"] == NODE)
    (pattern,) = {*re.findall(r'annotation_mig_fleet_dev_wave=~"(.*?)"', node["expr"])}
    pools = {found[1] for wave in waves if (found := re.fullmatch(pattern, wave))}
    assert pools == {"a", "b"}, f"{waves} must match {pattern}"
    assert f'"annotation_mig_fleet_dev_wave", "{pattern}"' in node["expr"]


def rule_records(text: str) -> list[Any]:
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"] if "record" in rule]


def test_two_fleets_of_a_program_have_different_urns() -> None:
    def both() -> None:
        Fleet("one", a_fleet())
        Fleet("two", a_fleet(cluster={"context": "other"}))

    engine = run(both)
    assert len(engine.names) == len({*engine.names}) == 2 * len(run(lambda: Fleet("one", a_fleet())).names)


def test_a_stack_file_can_be_pasted() -> None:
    def registered(args: Any) -> dict[str, str]:
        return {urn: str(request.object) for urn, request in run(lambda: Fleet("gpus", args)).requests.items()}

    assert registered(a_fleet()) == registered(CAMEL)


def test_the_outputs_are_those_of_the_stack() -> None:
    found: dict[str, Any] = {}

    def program() -> None:
        fleet = Fleet("gpus", a_fleet())
        outputs = (fleet.strategy, fleet.configs, fleet.capacity, fleet.cost, fleet.slices)
        pulumi.Output.all(*outputs).apply(lambda values: found.update(zip("abcde", values, strict=True)))

    run(program)
    assert found["a"] == "mixed"
    assert found["b"].keys() == {"a", "b"}
    assert found["c"] == {"nvidia.com/mig-1g.10gb": 28}
    assert found["d"]["perHourUsd"] == 8.0
    assert found["e"] == {"a": {}, "b": {}}


def test_all_mistakes_are_reported_together_before_anything_is_registered() -> None:
    pools = {"a": {"gpu": "H100-80GB", "gpus_per_node": "8", "nodes": ["n1"], "layout": "dense"}}
    engine: list[Engine] = []
    with pytest.raises(FleetRefused) as refused:
        engine.append(run(lambda: Fleet("gpus", a_fleet(pools=pools, prizes={}))))
    assert engine == []
    lines = str(refused.value).splitlines()
    assert lines[0] == "Fleet 'gpus' has 2 problem(s):"
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["pools.a.gpus_per_node", "prizes"]
    assert isinstance(refused.value, pulumi.RunError), "Pulumi prints a RunError without a traceback"


def test_an_output_where_a_plain_value_is_needed_is_named_once() -> None:
    pool = {"gpu": "H100-80GB", "gpus_per_node": 2, "nodes": an_output("n1"), "layout": "dense"}
    with pytest.raises(FleetRefused) as refused:
        run(lambda: Fleet("gpus", a_fleet(pools={"a": pool})))
    assert [str(problem) for problem in refused.value.problems] == [
        "pools.a.nodes: is an output, but must be known when the program runs; for nodes that the program creates, "
        "write a selector of their labels"
    ]


@pytest.mark.parametrize(
    "args", [None, [], "prod", pulumi.Output.from_input({})], ids=["None", "list", "text", "output"]
)
def test_arguments_that_are_no_mapping_are_refused_with_the_sections(args: Any) -> None:
    with pytest.raises(FleetRefused, match=r"args: .*a mapping with the sections cluster, operator, probe, layouts, "):
        run(lambda: Fleet("gpus", args))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"pools": {1: a_fleet()["pools"]["a"]}}, "pools[1]: the key must be text, such as '1'"),
        ({"layouts": {None: DENSE, "dense": DENSE}}, "layouts.None: the key must be text, such as 'None'"),
        ({5: {}}, "[5]: the key must be text, such as '5'"),
        ({"prices": {1: 2.0}}, "prices[1]: the key must be text, such as '1'"),
    ],
)
def test_a_key_that_is_no_text_is_refused(changes: dict[Any, Any], problem: str) -> None:
    with pytest.raises(FleetRefused) as refused:
        run(lambda: Fleet("gpus", a_fleet() | changes))
    assert [str(each) for each in refused.value.problems] == [problem]


def test_a_key_in_both_spellings_is_refused() -> None:
    pool = {"gpu": "H100-80GB", "gpus_per_node": 2, "gpusPerNode": 4, "nodes": ["n1"], "layout": "dense"}
    problem = "pools.a.gpus_per_node: is given twice, the other time as 'gpusPerNode'; remove one"
    with pytest.raises(FleetRefused) as refused:
        run(lambda: Fleet("gpus", a_fleet(pools={"a": pool})))
    assert [str(each) for each in refused.value.problems] == [problem]


@pytest.mark.parametrize("as_output", [True, False], ids=["an output", "a text"])
def test_the_contents_of_a_kubeconfig_are_secret_in_every_resource(as_output: bool) -> None:
    engine = run(lambda: Fleet("gpus", a_fleet(cluster={"kubeconfig": an_output(CONTENTS) if as_output else CONTENTS})))
    assert engine.inputs("gpus-a-wave-0-assigned")["cluster"] == {"kubeconfig": CONTENTS}
    assert engine.inputs("gpus-cluster")["kubeconfig"] == CONTENTS
    shown = {
        urn for urn, request in engine.requests.items() if any(TOKEN in text for text in plain_texts(request.object))
    }
    assert shown == set()


def test_values_of_the_chart_may_be_outputs_and_make_the_release_secret() -> None:
    operator = {"version": "v26.7.0", "values": {"driver": {"licensingConfig": {"secretName": an_output(TOKEN)}}}}
    engine = run(lambda: Fleet("gpus", a_fleet(operator=operator)))
    (release,) = (each for each in engine.requests.values() if each.name == "gpus-gpu-operator-release")
    assert "values" in release.additionalSecretOutputs
    assert not any(TOKEN in text for text in plain_texts(release.object))
    assert engine.inputs("gpus-gpu-operator-release")["values"]["driver"]["licensingConfig"]["secretName"] == TOKEN


def test_a_preview_that_does_not_know_the_cluster_plans_every_pool_with_names(monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", lambda text, *_: warnings.append(text))
    cluster = {"kubeconfig": an_output(CONTENTS, is_known=False)}
    engine = run(lambda: Fleet("gpus", a_fleet(cluster=cluster)), preview=True)
    assert {"gpus-a-wave-0-assigned", "gpus-b-wave-0-assigned"} <= {*engine.names}
    assert pulumi.runtime.rpc.contains_unknowns(engine.inputs("gpus-a-wave-0-assigned")["cluster"])
    assert warnings == []


def resolved(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The cluster has one node for each pool; the list has the clusters that were read."""
    read: list[Any] = []

    def resolve(declared: fleets.Fleet, _source: str, cluster: Any) -> fleets.Fleet:
        read.append(cluster)
        pools = tuple(replace(pool, nodes=(f"node-of-{pool.name}",)) for pool in declared.pools)
        return replace(declared, pools=pools, serves_rules=True)

    monkeypatch.setattr(members, "resolve_nodes", resolve)
    return read


def a_mixed_fleet(**changes: Any) -> Any:
    """A pool with a selector beside one whose three nodes have names, of which one wave changes per update."""
    pool = {"gpu": "H100-80GB", "gpus_per_node": 2, "layout": "dense"}
    bounded = {"max_unavailable": 1, "max_waves_per_update": 1}
    pools = {
        "chosen": {**pool, "selector": {"match_labels": {"team": "a"}}},
        "listed": {**pool, "nodes": ["n1", "n2", "n3"], "rollout": bounded},
    }
    return a_fleet(pools=pools, **changes)


def test_a_preview_that_does_not_know_the_cluster_leaves_out_only_the_pools_with_a_selector(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A resource that is left out would be shown as deleted, if it exists."""
    warnings: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", lambda text, *_: warnings.append(text))
    read = resolved(monkeypatch)
    cluster = {"kubeconfig": an_output(CONTENTS, is_known=False)}
    slices: list[Any] = []
    engine = run(
        lambda: Fleet("gpus", a_mixed_fleet(cluster=cluster)).slices.apply(slices.append, run_with_unknowns=True),
        preview=True,
    )
    assert read == [], "there is nothing to read yet"
    assert not any(name.startswith("gpus-chosen") for name in engine.names)
    waves = [name for name in engine.names if name.startswith("gpus-listed-") and name.endswith("-assigned")]
    assert sorted(engine.inputs(name)["held"] for name in waves) == [False, True, True]
    assert {"gpus-layouts-file", "gpus-probe-daemons", "gpus-supporting-objects", "gpus-destroy-guard"} <= {
        *engine.names
    }
    assert [*map(pulumi.runtime.rpc.contains_unknowns, slices)] == [True], "no pool is missing in an output"
    (warning,) = warnings
    assert warning.startswith("Fleet 'gpus': the cluster is not known yet;")
    assert "nothing is planned for them (chosen)" in warning
    assert "no wave counts as verified in the pools with maxWavesPerUpdate (listed)" in warning


def test_as_soon_as_the_cluster_is_known_every_pool_has_its_waves(monkeypatch: pytest.MonkeyPatch) -> None:
    resolved(monkeypatch)
    engine = run(lambda: Fleet("gpus", a_mixed_fleet(cluster={"kubeconfig": an_output(CONTENTS)})), preview=True)
    assert {"gpus-chosen-wave-0-assigned", "gpus-listed-wave-0-assigned"} <= {*engine.names}


def test_the_nodes_of_a_selector_are_read_as_soon_as_the_cluster_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    read = resolved(monkeypatch)
    cluster = {"kubeconfig": an_output(CONTENTS, is_secret=True)}
    capacity: list[Any] = []
    engine = run(lambda: Fleet("gpus", a_selected_fleet(cluster=cluster)).capacity.apply(capacity.append))
    assert read == [{"kubeconfig": CONTENTS}]
    assert engine.inputs("gpus-a-wave-0-assigned")["nodeNames"] == "node-of-a\n"
    watched = [json.loads(text)["kind"] for text in engine.inputs("gpus-supporting-objects")["objects"]]
    assert "NodeFeatureRule" in watched, "it is registered after the cluster was read"
    guard = next(each for each in engine.requests.values() if each.name == "gpus-destroy-guard")
    assert any(urn.endswith("gpus-a-wave-0-verified") for urn in guard.dependencies)
    shown = {urn for urn, each in engine.requests.items() if any(TOKEN in text for text in plain_texts(each.object))}
    assert shown == set()
    assert "declaredNodes" in engine.inputs("gpus-layouts-file")
    assert "node-of-a" in [*plain_texts(_object(engine, "gpus-layouts-file"))], "names of nodes are no secret"
    assert capacity == [{"nvidia.com/mig-1g.10gb": 14}]


def _object(engine: Engine, name: str) -> Any:
    return next(each.object for each in engine.requests.values() if each.name == name)


def test_the_cluster_of_a_plain_kubeconfig_is_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read = resolved(monkeypatch)
    engine = run(lambda: Fleet("gpus", a_selected_fleet()))
    assert read == [{"context": "prod"}]
    assert engine.inputs("gpus-a-wave-0-assigned")["nodeNames"] == "node-of-a\n"


def test_the_service_account_is_refused_outside_of_a_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(FleetRefused, match=r"cluster\.inCluster: needs a pod, and KUBERNETES_SERVICE_HOST is not set"):
        run(lambda: Fleet("gpus", a_fleet(cluster={"in_cluster": True})))


def test_a_refusal_after_the_cluster_is_known_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK puts a ValueError inside others, one for each resource on the way."""

    def refuse(_declared: fleets.Fleet, source: str, _cluster: Any) -> fleets.Fleet:
        raise InvalidSettings(source, [Finding("pools.a.selector", "no node has these labels")])

    monkeypatch.setattr(members, "resolve_nodes", refuse)
    with pytest.raises(FleetRefused) as refused:
        run(lambda: Fleet("gpus", a_selected_fleet(cluster={"kubeconfig": an_output(CONTENTS)})))
    lines = ["Fleet 'gpus' has 1 problem(s):", "  pools.a.selector: no node has these labels"]
    assert str(refused.value).splitlines() == lines


def test_an_output_that_is_no_kubeconfig_is_refused_and_never_printed() -> None:
    with pytest.raises(FleetRefused, match=r"cluster\.kubeconfig: is an output, and must be the contents") as refused:
        run(lambda: Fleet("gpus", a_fleet(cluster={"kubeconfig": an_output(TOKEN)})))
    assert TOKEN not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize("key", ["kubeconfig", "context"])
@pytest.mark.parametrize(("value", "found"), [(None, "it is null"), ("", "it is empty"), ({"a": TOKEN}, "a mapping")])
def test_an_output_that_is_no_text_never_means_another_cluster(key: str, value: Any, found: str) -> None:
    """Without a kubeconfig or a context, that of the shell would decide which cluster is changed."""
    cluster = {"kubeconfig": CONTENTS, key: an_output(value)}
    with pytest.raises(FleetRefused, match=rf"cluster\.{key}: is an output, and must be .*{found}") as refused:
        run(lambda: Fleet("gpus", a_fleet(cluster=cluster)))
    assert TOKEN not in str(refused.value)


@pytest.mark.parametrize("of_program", [True, False], ids=["output", "text"])
@pytest.mark.parametrize("key", ["context", "kubeconfig"])
def test_contents_in_a_wrong_place_are_refused_and_never_printed(key: str, of_program: bool) -> None:
    wrong = CONTENTS if key == "context" else [CONTENTS]
    cluster = {"kubeconfig": "~/.kube/config", key: an_output(wrong) if of_program else wrong}
    with pytest.raises(FleetRefused, match=rf"cluster\.{key}.* must be ") as refused:
        run(lambda: Fleet("gpus", a_fleet(cluster=cluster)))
    assert CONTENTS[:12] not in str(refused.value)


def test_a_refusal_can_be_pickled() -> None:
    refused = FleetRefused("Fleet 'gpus'", [Finding("pools", "is missing")])
    assert str(pickle.loads(pickle.dumps(refused))) == str(refused)


def test_the_fleet_of_the_configuration_is_one_line() -> None:
    """In a project of any name; a secret of the operator stays one."""
    secret = {"values": {"driver": {"secret": TOKEN}}}
    sections = {**{key: CAMEL[key] for key in ("cluster", "layouts", "pools")}, "operator": secret}
    texts = {f"mig-fleet:{name}": json.dumps(section) for name, section in sections.items()}
    pulumi.runtime.set_all_config(texts, ["mig-fleet:operator"])
    try:
        engine = run(lambda: Fleet.from_config("ours"))
        assert "ours-a-wave-0-verified" in engine.names
        assert not any(TOKEN in text for text in plain_texts(_object(engine, "ours-gpu-operator-release")))
        pulumi.runtime.set_all_config(texts, ["mig-fleet:pools"])
        with pytest.raises(FleetRefused, match="pools: has a value set with --secret"):
            run(Fleet.from_config)
        pulumi.runtime.set_all_config({**texts, "mig-fleet:cluster": json.dumps({"kubeconfig": CONTENTS})}, [])
        with pytest.raises(FleetRefused, match=r"cluster\.kubeconfig: must be a path") as refused:
            run(Fleet.from_config)
        assert TOKEN not in str(refused.value)
    finally:
        pulumi.runtime.set_all_config({}, [])

"""`mig-fleet import`: from files and clusters to a stack file that works without changes."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from mig_fleet.cli import sources
from mig_fleet.cli.__main__ import main
from mig_fleet.model import Layout, Strategy, gfd, parted
from mig_fleet.model.strategy import allocatable
from mig_fleet.stack_file import fleet


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["import", *map(str, words)], prog_name="mig-fleet")


PLAYBOOK = """\
- hosts: localhost
  vars:
    mig_nodes:
      - {name: gpu-node-1, config: all-1g.10gb}
      - {name: gpu-node-2, mig_config: all-balanced}
      - {name: gpu-node-3, config: ours}
      - {name: gpu-node-4, config: all-disabled, gpu: A100-80GB, gpus: 4}
      - {name: "{{ inventory_hostname }}", config: all-1g.10gb}
      - gpu-node-5
"""


def test_a_playbook_becomes_a_stack_that_mig_fleet_accepts(tmp_path: Path) -> None:
    (tmp_path / "play.yml").write_text(PLAYBOOK)
    result = run(tmp_path / "play.yml", "--gpu", "H100-80GB", "--gpus-per-node", 8)
    assert result.exit_code == 0, result.output
    for note in (
        "no source defines config 'ours'",
        "a template, which only Ansible can evaluate",
        "not a mapping of name and config",
    ):
        assert note in result.stderr
        assert note in result.stdout, "the stack file has the note too"
    (tmp_path / "Pulumi.new.yaml").write_text(result.stdout + "  mig-fleet:cluster: {context: prod}\n")
    stack = fleet.from_file(tmp_path / "Pulumi.new.yaml")
    assert {pool.name: pool.settings.nodes for pool in stack.pools} == {
        "all-1g.10gb": ("gpu-node-1",),
        "all-balanced": ("gpu-node-2",),
        "all-disabled": ("gpu-node-4",),
    }


def test_a_file_of_configs_and_a_playbook_go_together(tmp_path: Path) -> None:
    layout = Layout.uniform("ours", "H100-80GB", {"3g.40gb": 2})
    (tmp_path / "config.yaml").write_text(parted.dump([layout]).replace(layout.config_name, "ours"))
    (tmp_path / "play.yml").write_text(PLAYBOOK)
    result = run(tmp_path / "play.yml", tmp_path / "config.yaml", "--gpu", "H100-80GB", "--gpus-per-node", 8)
    assert yaml.safe_load(result.stdout)["config"]["mig-fleet:pools"]["ours"]["nodes"] == ["gpu-node-3"]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("hello: world\n", "has neither layouts nor nodes. Import reads"),
        ("version: v2\nmig-configs: {}\n", ":1: not a mig-parted file: version: must be v1"),
        ("version: [\n", "is not YAML"),
        ("kind: ConfigMap\ndata: {}\n", "has no key config.yaml"),
    ],
)
def test_a_source_that_cannot_be_read_is_one_error(content: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "source.yaml").write_text(content)
    result = run(tmp_path / "source.yaml")
    assert result.exit_code == 2
    assert text in result.output
    assert isinstance(result.exception, SystemExit)


def test_without_a_source_there_is_a_hint() -> None:
    assert run().exit_code == 2
    assert "a file, or --cluster" in run().output


def test_nothing_to_import_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("version: v1\nmig-configs: {a: [{devices: all, mig-enabled: false}]}\n")
    result = run(tmp_path / "config.yaml")
    assert result.exit_code == 1
    assert "there is nothing to import" in result.stderr


def test_a_cluster_is_imported_from_its_labels_and_config_maps() -> None:
    layout = Layout.uniform("dense", "H100-80GB", {"1g.10gb": 7})
    config_maps = [
        {"metadata": {"name": "layouts"}, "data": {"config.yaml": parted.dump([layout])}},
        {"metadata": {"name": "other"}, "data": {"x": "y"}},
        {"metadata": {"name": "empty"}},
        {"metadata": {"name": "broken"}, "data": {"config.yaml": "mig-configs: ["}},
    ]
    labels = gfd.expected_labels(layout.per_gpu(8), Strategy.MIXED) | {
        "nvidia.com/mig.capable": "true",
        "nvidia.com/mig.config": layout.config_name,
        "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3",
        "nvidia.com/gpu.count": "8",
    }
    nodes: list[dict[str, Any]] = [{"metadata": {"name": "gpu", "labels": labels}}, {"metadata": {"name": "plain"}}]
    found = sources.Found()
    sources.read_cluster(nodes, config_maps, found)
    (node,) = found.nodes
    assert (node.name, node.config, node.slices, node.gpu_count) == ("gpu", layout.config_name, {"1g.10gb": 56}, 8)
    assert len(found.cluster_files) == 1
    assert "ConfigMap broken" in str(next(iter(found.notes)))


def in_a_cluster(node_labels: dict[str, str], name: str = "gpu") -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": node_labels}}


def test_a_node_with_a_config_and_without_the_capable_label_is_reported() -> None:
    found = sources.Found()
    sources.read_cluster([in_a_cluster({"nvidia.com/mig.config": "all-1g.10gb"})], [], found)
    assert found.nodes == []
    (note,) = map(str, found.notes)
    assert note.startswith("node gpu: has a config, but no label nvidia.com/mig.capable=true")


def under(strategy: Strategy, name: str, **more: Any) -> dict[str, Any]:
    """A node with eight GPUs in seven slices each, as GFD labels it under this strategy."""
    per_gpu = Layout.uniform("dense", "H100-80GB", {"1g.10gb": 7}).per_gpu(8)
    node_labels = gfd.expected_labels(per_gpu, strategy) | {"nvidia.com/mig.capable": "true"}
    offered = {key: str(number) for key, number in allocatable(strategy, per_gpu).items()}
    node = in_a_cluster(node_labels, name) | {"status": {"allocatable": offered}}
    if strategy is Strategy.SINGLE:
        node_labels["nvidia.com/gpu.product"] = "NVIDIA-H100-80GB-HBM3-MIG-1g.10gb"
    else:
        node_labels["nvidia.com/gpu.product"] = "NVIDIA-H100-80GB-HBM3"
    node_labels |= {f"nvidia.com/{key}": value for key, value in more.items()}
    return node


def test_the_strategy_of_a_cluster_is_kept() -> None:
    for strategy, kept in ((Strategy.SINGLE, Strategy.SINGLE), (Strategy.MIXED, Strategy.MIXED)):
        found = sources.Found()
        sources.read_cluster([under(strategy, f"gpu-{number}") for number in range(5)], [], found)
        assert (found.strategy, list(found.notes)) == (kept, [])


@pytest.mark.parametrize(
    ("strategy", "others"),
    [(Strategy.SINGLE, [Strategy.MIXED]), (Strategy.NONE, [Strategy.MIXED]), (Strategy.NONE, [])],
    ids=["single and mixed", "none and mixed", "none"],
)
def test_a_strategy_that_is_not_kept_is_noted_with_what_changes_for_pods(
    strategy: Strategy, others: list[Strategy]
) -> None:
    found = sources.Found()
    nodes = [under(strategy, f"gpu-{number}") for number in range(5)]
    sources.read_cluster([*nodes, *(under(each, "other") for each in others)], [], found)
    assert found.strategy is Strategy.MIXED
    (note,) = map(str, found.notes)
    lead = f"strategy '{strategy}' of gpu-0, gpu-1, gpu-2 and 2 more: a cluster has one strategy, and the stack keeps"
    assert note.startswith(f"{lead} mixed, which has a resource for each profile, such as nvidia.com/mig-1g.10gb")
    assert "requests nvidia.com/gpu then gets a whole GPU, or stays Pending" in note


def test_nodes_without_a_strategy_beside_nodes_under_single_are_noted() -> None:
    found = sources.Found()
    sources.read_cluster([under(Strategy.SINGLE, "gpu-1"), under(Strategy.NONE, "gpu-2")], [], found)
    assert found.strategy is Strategy.SINGLE
    (note,) = map(str, found.notes)
    assert note.startswith(
        "strategy 'none' of gpu-2: a cluster has one strategy, and the stack keeps single, which has"
    )


@pytest.mark.parametrize("strategy", [Strategy.SINGLE, Strategy.MIXED])
def test_a_dump_of_nodes_becomes_a_stack_with_their_strategy_that_check_accepts(
    tmp_path: Path, strategy: Strategy
) -> None:
    nodes = [under(strategy, f"gpu-{number}", **{"mig.config": "all-1g.10gb"}) for number in range(2)]
    items = [{"kind": "Node", **node} for node in nodes]
    (tmp_path / "nodes.yaml").write_text(yaml.safe_dump({"kind": "List", "items": items}))
    result = run(tmp_path / "nodes.yaml")
    config = yaml.safe_load(result.stdout)["config"]
    operator = {"strategy": "single"} if strategy is Strategy.SINGLE else None
    assert config.get("mig-fleet:operator") == operator
    (tmp_path / "Pulumi.x.yaml").write_text(
        yaml.safe_dump({"config": {**config, "mig-fleet:cluster": {"context": "x"}}})
    )
    parsed = fleet.from_file(tmp_path / "Pulumi.x.yaml")
    (pool,) = parsed.pools
    assert (parsed.strategy, pool.settings.gpus_per_node, pool.nodes) == (strategy, 8, ("gpu-0", "gpu-1"))


@pytest.mark.parametrize("end", ["", ".shared"])
def test_what_a_node_shares_is_noted_once_for_all_nodes(end: str) -> None:
    found, name = sources.Found(), "nvidia.com/mig-1g.10gb"
    nodes = [under(Strategy.MIXED, f"gpu-{number}", **{"mig-1g.10gb.replicas": "2"}) for number in range(2)]
    for node in nodes:
        node["status"]["allocatable"] = {f"{name}{end}": "112"}
    sources.read_cluster(nodes, [], found)
    (note,) = map(str, found.notes)
    assert note.startswith(f"nodes gpu-0, gpu-1: {name} is shared, 2 times each: mig-fleet counts each slice and GPU")
    assert len(found.nodes) == 2


MIG_PARTED = "version: v1\nmig-configs: {dense: [{devices: all, mig-enabled: true, mig-devices: {1g.10gb: 7}}]}\n"
CONFIG_MAP = f"kind: ConfigMap\ndata:\n  config.yaml: |\n    {MIG_PARTED.replace(chr(10), chr(10) + '    ')}\n"
NODE = "[{name: a, config: all-1g.10gb}]\n"


def test_a_list_of_config_maps_as_kubectl_prints_it_is_read(tmp_path: Path) -> None:
    layouts = [
        Layout.uniform(name, "H100-80GB", {profile: 2}) for name, profile in (("a", "3g.40gb"), ("b", "2g.20gb"))
    ]
    items = [{"kind": "ConfigMap", "data": {"config.yaml": parted.dump([layout])}} for layout in layouts]
    others = [{"kind": "ConfigMap"}, {"kind": "ConfigMap", "data": {"config.yaml": "x: 1"}}, {"kind": "Secret"}, 7]
    (tmp_path / "maps.yaml").write_text(yaml.safe_dump({"kind": "List", "items": [*items, *others]}))
    result = run(tmp_path / "maps.yaml")
    assert yaml.safe_load(result.stdout)["config"]["mig-fleet:layouts"].keys() == {"a", "b"}


@pytest.mark.parametrize("items", ["[]", "7", "[{kind: ConfigMap, data: {config.yaml: 'x: 1'}}]"])
def test_a_list_without_a_layout_file_names_the_missing_key(items: str, tmp_path: Path) -> None:
    (tmp_path / "maps.yaml").write_text(f"kind: ConfigMapList\nitems: {items}\n")
    result = run(tmp_path / "maps.yaml")
    assert result.exit_code == 2
    assert "maps.yaml:2: no ConfigMap of the list has a mig-parted file under config.yaml" in result.output


def test_a_number_of_gpus_that_is_none_is_reported_with_its_key(tmp_path: Path) -> None:
    (tmp_path / "play.yml").write_text(
        "mig_nodes: [{name: a, config: all-1g.10gb, gpu: H100-80GB, gpu_count: eight}]\n"
    )
    result = run(tmp_path / "play.yml")
    assert (
        "node a: gpu_count is 'eight', which must be a whole number; write for example gpus: 8, or use" in result.stderr
    )


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (f"mig_nodes: {NODE}---\nmig_nodes: {NODE}", "the text after --- is ignored"),
        (f"mig_nodes: {NODE}mig_nodes: {NODE}", "source.yaml:2: duplicate key 'mig_nodes'"),
        (f"{CONFIG_MAP}---\n{CONFIG_MAP}", "the text after --- is ignored"),
        (f"{MIG_PARTED}---\n{MIG_PARTED}", "the text after --- is ignored"),
    ],
    ids=["two playbooks", "two lists", "two ConfigMaps", "two mig-parted files"],
)
def test_a_duplicate_in_a_source_is_reported_once(content: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "source.yaml").write_text(content)
    result = run(tmp_path / "source.yaml", "--gpu", "H100-80GB", "--gpus-per-node", 8)
    assert result.exit_code == 0, result.output
    assert result.stderr.count(text) == 1, result.stderr
    assert text in result.stdout


def two_files(tmp_path: Path, first: dict[str, int], second: dict[str, int]) -> list[Path]:
    """Two mig-parted files. Each maps a config name to the number of its 1g.10gb slices."""
    paths = []
    for number, configs in enumerate((first, second)):
        text = "version: v1\nmig-configs:\n"
        for name, count in configs.items():
            text += f"  {name}: [{{devices: all, mig-enabled: true, mig-devices: {{1g.10gb: {count}}}}}]\n"
        paths.append(tmp_path / f"{number}.yaml")
        paths[-1].write_text(text)
    return paths


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        (
            {"foo": 7, "Foo": 6},
            {"bar": 1},
            "Foo: config 'foo' of the same file differs and has the layout name foo",
        ),
        ({"foo": 7}, {"Foo": 6}, "Foo: an earlier source defines foo differently"),
        ({"foo": 7}, {"foo": 6}, "foo: an earlier source defines foo differently"),
    ],
)
def test_if_two_layouts_have_the_same_name_the_second_is_not_imported(
    first: dict[str, int], second: dict[str, int], text: str, tmp_path: Path
) -> None:
    result = run(*two_files(tmp_path, first, second), "--gpu", "H100-80GB")
    assert text in result.stderr
    assert result.stderr.count("differ") == 1
    assert yaml.safe_load(result.stdout)["config"]["mig-fleet:layouts"]["foo"]["all"] == {"1g.10gb": 7}


def test_a_missing_cluster_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    result = run("--cluster")
    assert result.exit_code == 2
    assert "no usable kubeconfig at" in result.output

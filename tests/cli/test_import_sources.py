"""`mig-fleet import` takes what people have; `mig-fleet check` accepts what it writes, or a note asks for the rest."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from mig_fleet.cli.__main__ import main
from mig_fleet.cli.inventory import nodes_in

ASKED = "to complete: "
CLUSTER = "no source names the cluster; add mig-fleet:cluster: {context: NAME}"
POOLS = "no source has nodes that can be carried over; add mig-fleet:pools"


def run(folder: Path, text: str, *words: object, name: str = "source.yaml") -> Result:
    (folder / name).write_text(text)
    return CliRunner().invoke(main, ["import", str(folder / name), *map(str, words)], prog_name="mig-fleet")


def config_of(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    config: dict[str, Any] = yaml.safe_load(result.stdout)["config"]
    return {key.removeprefix("mig-fleet:"): value for key, value in config.items()}


def nodes_of(result: Result) -> dict[str, tuple[str, str, int]]:
    """Node → its GPU model, layout and number of GPUs."""
    pools = config_of(result)["pools"].values()
    return {node: (pool["gpu"], pool["layout"], pool["gpusPerNode"]) for pool in pools for node in pool["nodes"]}


FILE = "version: v1\nmig-configs:\n  halves: [{devices: all, mig-enabled: true, mig-devices: {3g.71gb: 2}}]\n"
VALUES = {"migManager": {"config": {"name": "theirs", "create": True, "data": {"config.yaml": FILE}}}}
AS_TEXT = yaml.safe_dump(VALUES)
LAYOUTS: dict[str, Any] = {
    "a mig-parted file": yaml.safe_load(FILE),
    "a ConfigMap": {"kind": "ConfigMap", "data": {"config.yaml": FILE}},
    "values of the chart": VALUES,
    "values of a parent chart": {"gpu-operator": VALUES, "other": {"enabled": False}},
    "k3s": {"kind": "HelmChart", "spec": {"chart": "gpu-operator", "valuesContent": AS_TEXT}},
    "Argo CD": {"kind": "Application", "spec": {"source": {"helm": {"valuesObject": VALUES}}}},
    "Argo CD, as text": {"kind": "Application", "spec": {"sources": [{"ref": "x"}, {"helm": {"values": AS_TEXT}}]}},
    "Flux": {"kind": "HelmRelease", "spec": {"values": VALUES}},
    "Ansible's module for Helm": [{"tasks": [{"kubernetes.core.helm": {"name": "gpu-operator", "values": VALUES}}]}],
}


@pytest.mark.parametrize("document", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_layouts_are_taken_out_of_each_kind_of_file(document: Any, tmp_path: Path) -> None:
    result = run(tmp_path, yaml.safe_dump(document), "--gpu", "H200")
    assert config_of(result)["layouts"] == {"halves": {"gpu": "H200-141GB", "all": {"3g.71gb": 2}}}
    assert result.stderr.splitlines() == [ASKED + CLUSTER, ASKED + POOLS]


FACTS = "gpu: NVIDIA H200, gpus: 8"
NODES = {
    "a list": f"mig_nodes: [{{name: a1, config: all-3g.71gb, {FACTS}}}, {{name: a2, config: all-disabled, {FACTS}}}]",
    "a list under another name": f"""
        - hosts: localhost
          vars:
            slices_per_machine:
              - {{node: a1, mig_config: all-3g.71gb, {FACTS}}}
              - {{node: a2, mig_config: all-disabled, {FACTS}}}
          tasks:
            - name: Label it
              kubernetes.core.k8s:
                name: "{{{{ item.node }}}}"
                definition: {{metadata: {{labels: {{nvidia.com/mig.config: "{{{{ item.mig_config }}}}"}}}}}}
              loop: "{{{{ slices_per_machine }}}}" """,
    "a mapping": f"mig_nodes: {{a1: {{config: all-3g.71gb, {FACTS}}}, a2: {{config: all-disabled, {FACTS}}}}}",
    "a mapping under another name": f"""
        machines:
          a1: {{mig_profile: all-3g.71gb, {FACTS}}}
          a2: {{mig_profile: all-disabled, {FACTS}}}""",
    "an inventory": """
        all:
          children:
            hopper:
              vars: {gpu_model: NVIDIA-H200, gpus_per_node: 8}
              hosts:
                a1: {mig_profile: all-3g.71gb}
                a2: {mig_profile: all-disabled}
            web: {hosts: {w1: {port: 80}, w2: }}""",
    "a variable of a group": """
        hopper: {vars: {gpu_model: H200, gpu_count: 8, our_mig_setting: all-3g.71gb}, hosts: {a1: }}
        whole: {vars: {gpu_model: H200, gpu_count: 8, our_mig_setting: all-disabled}, hosts: {a2: }}""",
    "labels of hosts": """
        hosts:
          a1: {node_labels: {nvidia.com/mig.config: all-3g.71gb}, gpu: H200, gpus: 8}
          a2: {node_labels: {nvidia.com/mig.config: all-disabled}, gpu: H200, gpus: "8"}""",
    "ansible-inventory --list": json.dumps(
        {
            "_meta": {
                "hostvars": {
                    "a1": {"mig_config": "all-3g.71gb", "gpu_model": "NVIDIA-H200", "gpus": "8"},
                    "a2": {"mig_config": "all-disabled", "gpu_model": "NVIDIA-H200", "gpus": 8},
                    "w1": {"ansible_port": 22},
                }
            },
            "all": {"children": ["hopper", "ungrouped"]},
            "hopper": {"hosts": ["a1", "a2"]},
        }
    ),
}


@pytest.mark.parametrize("text", NODES.values(), ids=NODES.keys())
def test_nodes_are_found_in_each_shape(text: str, tmp_path: Path) -> None:
    result = run(tmp_path, text)
    assert nodes_of(result) == {"a1": ("H200-141GB", "all-3g.71gb", 8), "a2": ("H200-141GB", "all-disabled", 8)}
    assert result.stderr.splitlines() == [ASKED + CLUSTER]


def test_a_mapping_of_nodes_to_configs_needs_the_options_only(tmp_path: Path) -> None:
    result = run(
        tmp_path, "mig_config_of_node: {a1: all-3g.71gb, a2: all-1g.18gb}", "--gpu", "H200", "--gpus-per-node", 4
    )
    assert nodes_of(result) == {"a1": ("H200-141GB", "all-3g.71gb", 4), "a2": ("H200-141GB", "all-1g.18gb", 4)}


@pytest.mark.parametrize(
    "data",
    [
        {"mig": {"strategy": "mixed"}},
        {"roles": [{"name": "grafana", "version": "1"}]},
        {"env": [{"name": "MIG", "value": "all-balanced"}]},
        {"hosts": {"web-1": {"profile": None}, "web-2": {"profile": "prod"}}},
        {"panels": [{"name": "a", "label": "b"}]},
        {"sizes": {"small": {"profile": "1g"}, "large": {"profile": "7g"}}},
        {"config": {"default": "none", "map": {"none": "version: v1"}}},
        {"migManager": {"config": {"default": "all-disabled"}}},
        {"defaults": {"mig": "all-disabled"}},
        {"spec": {"template": {"metadata": {"labels": {"nvidia.com/mig.config": "all-balanced"}}}}},
        {
            "apiVersion": "nfd.k8s-sigs.io/v1alpha1",
            "kind": "NodeFeatureRule",
            "spec": {"rules": [{"name": "wide", "labels": {"nvidia.com/mig.config": "all-balanced"}}]},
        },
    ],
)
def test_other_lists_and_mappings_have_no_nodes(data: Any) -> None:
    assert list(nodes_in(data)) == []


def a_node(name: str, config: str, **changes: Any) -> dict[str, Any]:
    node_labels = {
        "nvidia.com/gpu.count": "4",
        "nvidia.com/gpu.product": "NVIDIA-H200",
        "nvidia.com/mig.capable": "true",
        "nvidia.com/mig.config": config,
        "nvidia.com/mig.config.state": "success",
        "nvidia.com/mig.strategy": "mixed",
        "nvidia.com/mig-3g.71gb.count": "8",
    }
    status = {"allocatable": {"cpu": "64", "nvidia.com/mig-3g.71gb": "8"}}
    return {"kind": "Node", "metadata": {"name": name, "labels": node_labels}, "status": status} | changes


def test_saved_nodes_are_read_as_those_of_a_cluster(tmp_path: Path) -> None:
    wrong = a_node("a2", "halves", status={"allocatable": {"nvidia.com/mig-1g.18gb": "28"}})
    config_map = {"kind": "ConfigMap", "metadata": {"name": "ours"}, "data": {"config.yaml": FILE}}
    generated = {"kind": "ConfigMap", "metadata": {"name": "a1-mig-config"}, "data": {"config.yaml": FILE}}
    unnamed = {"kind": "Node", "metadata": {}}
    items = [a_node("a1", "halves"), wrong, config_map, generated, unnamed, 7]
    result = run(tmp_path, yaml.safe_dump({"kind": "List", "items": items}))
    assert nodes_of(result) == {"a1": ("H200-141GB", "halves", 4)}
    left_out, missing = result.stderr.splitlines()
    assert left_out.startswith("not carried over: node a2: config 'halves' is mig-3g.71gb: 8, but the kubelet offers")
    assert missing == ASKED + CLUSTER


@pytest.mark.parametrize(
    "document",
    [
        a_node("a1", "all-3g.71gb"),
        {
            "kind": "NodeList",
            "items": [{key: value for key, value in a_node("a1", "all-3g.71gb").items() if key != "kind"}],
        },
        {"kind": "List", "items": [a_node("a1", "all-3g.71gb", spec={"note": "x" * (1 << 20)})]},
    ],
    ids=["one node", "a NodeList without kinds", "more than a ConfigMap can hold"],
)
def test_one_node_and_large_lists_of_nodes_are_read(document: Any, tmp_path: Path) -> None:
    assert nodes_of(run(tmp_path, json.dumps(document))) == {"a1": ("H200-141GB", "all-3g.71gb", 4)}


def smi_list(*gpus: list[str], product: str = "NVIDIA H200") -> str:
    """What `nvidia-smi -L` prints."""
    lines = []
    for index, devices in enumerate(gpus):
        lines.append(f"GPU {index}: {product} (UUID: GPU-0000000{index})")
        lines += [f"  MIG {name:<12} Device  {n}: (UUID: MIG-{index}{n})" for n, name in enumerate(devices)]
    return "\n".join([*lines, ""])


def smi_instances(*instances: tuple[int, str, str]) -> str:
    """What `nvidia-smi mig -lgi` prints."""
    head = "| GPU instances:                                        |\n| GPU   Name  Profile  Instance   Placement  |\n"
    line = "+-------------------------------------------------------+\n"
    rows = (
        f"|  {gpu:>2}  MIG {name:<16} 14       {n}          {place}     |\n"
        for n, (gpu, name, place) in enumerate(instances)
    )
    return line + head + line.join(rows) + line


EVEN = [["3g.71gb", "3g.71gb"], ["3g.71gb", "3g.71gb"]]


def test_nodes_with_the_same_slices_in_nvidia_smi_are_one_pool(tmp_path: Path) -> None:
    (tmp_path / "a2.txt").write_text("$ nvidia-smi -L\n" + smi_list(*EVEN))
    result = run(tmp_path, smi_list(*EVEN), tmp_path / "a2.txt", name="a1.txt")
    (pool,) = config_of(result)["pools"].values()
    assert (pool["nodes"], pool["gpusPerNode"], pool["configName"]) == (["a1", "a2"], 2, "keep")
    assert config_of(result)["layouts"] == {"a1": {"gpu": "H200-141GB", "all": {"3g.71gb": 2}}}
    assert "nodes a1, a2: named as its file" in result.stderr


def test_gpus_with_different_slices_in_nvidia_smi_are_listed(tmp_path: Path) -> None:
    result = run(tmp_path, smi_list(["1g.18gb", "1g.18gb"], [], ["4g.71gb", "1g.18gb+me"]), name="a1.txt")
    assert config_of(result)["layouts"]["a1"]["gpus"] == [
        {"devices": [0], "profiles": {"1g.18gb": 2}},
        {"devices": [1], "disabled": True},
        {"devices": [2], "profiles": {"1g.18gb+me": 1, "4g.71gb": 1}},
    ]
    assert nodes_of(result) == {"a1": ("H200-141GB", "a1", 3)}


def test_a_node_without_slices_in_nvidia_smi_has_mig_off(tmp_path: Path) -> None:
    assert nodes_of(run(tmp_path, smi_list([], []), name="a1.txt")) == {"a1": ("H200-141GB", "all-disabled", 2)}


def test_gpu_instances_alone_need_the_model_and_the_number_of_gpus(tmp_path: Path) -> None:
    text = smi_instances((0, "3g.71gb", "0:4"), (0, "1g.18gb", "4:1"))
    asked = run(tmp_path, text, name="a1.txt").stderr
    assert "its GPU model is unknown; name it with --gpu" in asked
    asked = run(tmp_path, text, "--gpu", "H200", name="a1.txt").stderr
    assert "set their number with --gpus-per-node" in asked
    result = run(tmp_path, text, "--gpu", "H200", "--gpus-per-node", 2, name="a1.txt")
    assert config_of(result)["layouts"]["a1"]["gpus"] == [
        {"devices": [0], "profiles": {"1g.18gb": 1, "3g.71gb": 1}},
        {"devices": [1], "disabled": True},
    ]
    assert "node a1: nvidia-smi mig -lgi prints no GPU without instances: those count as MIG off" in result.stderr


def test_nvidia_smi_shows_names_that_only_some_boards_have(tmp_path: Path) -> None:
    text = smi_list(["1g.23gb"] * 7, product="NVIDIA GB200")
    assert config_of(run(tmp_path, text, name="a1.txt"))["layouts"]["a1"] == {
        "gpu": "GB200-186GB",
        "all": {"1g.23gb": 7},
        "confirmed": {"slices": "nvidia-smi -L: 7x 1g.23gb on node a1"},
    }


@pytest.mark.parametrize(
    ("text", "name", "note"),
    [
        (smi_list([]) + smi_list([]), "a1.txt", "has GPU 0 twice; save the output of each node in a file of its own"),
        (smi_list(*EVEN), "Output_of_a1.txt", "prints no name of a node; rename the file to NODE.txt"),
        (
            smi_list([]) + smi_list([], [], product="NVIDIA T1000").split("\n", 1)[1],
            "a1.txt",
            "not carried over: node a1: has NVIDIA H200 and NVIDIA T1000; a pool has GPUs of one model",
        ),
        (smi_list(["9g.9gb"]), "a1.txt", "not carried over: a1: unknown MIG profile '9g.9gb'"),
    ],
    ids=["two nodes", "no name of a node", "two models", "an unknown profile"],
)
def test_what_nvidia_smi_cannot_say_is_named(text: str, name: str, note: str, tmp_path: Path) -> None:
    assert note in run(tmp_path, text, name=name).output


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[settings]\nstrategy = 'mig'\n", "has neither layouts nor nodes. Import reads"),
        ("config: {default: none, map: {none: 'version: v1'}}\n", "has neither layouts nor nodes. Import reads"),
        ("config: {mig-fleet:layouts: {}}\n", "is a stack file already; `mig-fleet check` proves it"),
        ("migManager: {config: {name: theirs}}\n", "the layouts are in ConfigMap 'theirs'"),
        (
            f"kind: ConfigMap\ndata: {{a100.yaml: {json.dumps(FILE)}}}\n",
            "has no key config.yaml, which MIG Manager reads; 'a100.yaml' has a mig-parted file: rename that key",
        ),
    ],
)
def test_what_has_nothing_to_import_is_one_error_that_says_what_would_do(text: str, why: str, tmp_path: Path) -> None:
    result = run(tmp_path, text)
    assert result.exit_code == 2
    assert why in result.output


def test_texts_in_texts_are_one_error_however_many_there_are(tmp_path: Path) -> None:
    indents = (" " * depth for depth in range(1100))
    text = "".join(f"{indent}values: |\n" for indent in indents) + " " * 1100 + "migManager: {}\n"
    result = run(tmp_path, text)
    assert result.exit_code == 2, result.exception
    assert "has neither layouts nor nodes" in result.output


def test_a_config_that_mig_manager_can_never_apply_is_carried_over_with_a_note(tmp_path: Path) -> None:
    text = FILE.replace("]\n", ", {devices: [0], mig-enabled: false}]\n")
    result = run(tmp_path, text, "--gpu", "H200", "--gpus-per-node", 2)
    assert config_of(result)["layouts"]["halves"]["gpus"][0] == {"devices": [0], "disabled": True}
    assert "halves: switches MIG off for GPU 0, and entry 0 switches it on" in result.stderr


def test_each_note_is_printed_once_and_what_was_left_out_is_apart(tmp_path: Path) -> None:
    rows = [f"{{name: n{number}, config: all-1g.23gb, gpu: B300, gpus: 8}}" for number in range(6)]
    rows += [f"{{name: m{number}, config: all-1g.18gb, gpu: H300, gpus: 8}}" for number in range(2)]
    result = run(tmp_path, f"mig_nodes: [{', '.join(rows)}]", "--gpu", "H200")
    lines = result.stderr.splitlines()
    assert [line.partition(": unknown")[0] for line in lines] == [
        "carried over, with a change or a doubt: nodes m0, m1",
        "not carried over: nodes n0, n1, n2 and 3 more: config 'all-1g.23gb' is not for B300-269GB",
        ASKED + CLUSTER,
    ]
    assert "1g.34gb" in lines[1], "the profiles that it has"
    modeline, *comments = (line for line in result.stdout.splitlines() if line.startswith("#"))
    assert modeline.startswith("# yaml-language-server: $schema=")
    assert [line for line in comments if line.endswith(":")] == [
        "# Not carried over:",
        "# Carried over, with a change or a doubt:",
        "# To complete:",
    ]
    assert len(comments) == 6, "three notes"


EVERY_SOURCE = {
    **{f"{name}, nodes": (text, "source.yaml") for name, text in NODES.items()},
    **{f"{name}, layouts": (yaml.safe_dump(document), "source.yaml") for name, document in LAYOUTS.items()},
    "nvidia-smi -L": (smi_list(*EVEN), "a1.txt"),
    "parts of instances": (smi_list(["1c.3g.71gb", "2c.3g.71gb"]), "a1.txt"),
    "some GPUs": (FILE.replace("devices: all", "devices: [1]"), "source.yaml"),
}


@pytest.mark.parametrize(("text", "name"), EVERY_SOURCE.values(), ids=EVERY_SOURCE.keys())
def test_check_accepts_what_import_writes_or_each_mistake_was_asked_for(text: str, name: str, tmp_path: Path) -> None:
    result = run(tmp_path, text, "--gpu", "H200", "--gpus-per-node", 2, name=name)
    assert result.exit_code == 0, result.output
    path = tmp_path / "Pulumi.new.yaml"
    path.write_text(result.stdout + "  mig-fleet:cluster: {context: prod}\n")
    checked = CliRunner().invoke(main, ["check", str(path)], prog_name="mig-fleet")
    asked = [line for line in result.stderr.splitlines() if line.startswith(ASKED)]
    found = [line for line in checked.output.splitlines() if ": advice: " not in line and not line.endswith(": sound")]
    assert len(found) <= len(asked) - 1, checked.output
    assert (checked.exit_code == 0) is (asked == [ASKED + CLUSTER])

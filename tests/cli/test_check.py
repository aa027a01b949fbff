"""`mig-fleet check`: exit statuses for scripts, and findings with a place and a remedy."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mig_fleet.cli.__main__ import main
from mig_fleet.model import parted
from mig_fleet.model.layouts import Layout
from tests.hostile import OTHER_FILES


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="mig-fleet")


@pytest.mark.parametrize(
    ("words", "exit_code", "text"),
    [
        (["--gpu", "H100-80GB", "3g.40gb=1", "2g.20gb=2"], 0, "create in this order: 3g.40gb, 2g.20gb, 2g.20gb"),
        (["--gpu", "H100-80GB", "3g.40gb=2", "1g.10gb=1"], 1, "fill memory slices 0–7; nothing is left for 1g.10gb"),
        (["--gpu", "GB300-278GB", "1g.35gb=2"], 3, "unproven on GB300-278GB: the sources disagree"),
        (["--gpu", "Thor", "1g.0gb"], 3, "unproven on Thor iGPU (Jetson T5000): no source gives the placements"),
        (["--gpu", "GB200-186GB", "1g.24gb=8"], 1, "what fits: 1g.24gb=7  (unproven: boards differ in names)\n"),
        (["--gpu", "GB200-186GB", "2g.47gb=4"], 1, "what fits: 2g.47gb=3 1g.47gb=1\n"),
        (["--gpu", "RTX-PRO-6000", "1c.2g.48gb=2"], 3, "no source states how 2g.48gb is split"),
        (["--gpu", "H100", "1g.10gb"], 2, "several GPU models"),
        (["--gpu", "H1000-80GB", "1g.10gb"], 2, "did you mean 'H100-80GB'?"),
        (["--gpu", "H100-80GB", "1g.1gb"], 2, "did you mean '1g.10gb'?"),
        (["--gpu", "H100-80GB", "1g.10gb=x"], 2, "the count must be a whole number"),
        (["--gpu", "H100-80GB", "1g.10gb=-1"], 2, "the count must be a whole number"),
        (["--gpu", "H100-80GB", "1g.10gb=0"], 2, "no instance requested"),
        (["1g.6gb=4"], 2, "name the GPU model: --gpu A30-24GB"),
        (["1g.6gb"], 2, "looks like a profile; name the GPU model: --gpu A30-24GB"),
        (["1g.24gb=7"], 2, "or GB200-186GB"),
        ([f"{'x' * 5000}=1"], 2, "looks like a profile; name the GPU model: --gpu MODEL"),
        (["--gpu", "GB200-186GB", "1g.24gb=7"], 3, "create in this order: 1g.24gb"),
        (["--gpu", "H100-80GB", "1g.10gb", "--gpus-per-node", "2"], 2, "--gpus-per-node is for mig-parted files"),
        (
            ["--gpu", "H100-80GB", "mig-3g.40gb", "nvidia.com/mig-1g.10gb.me=1"],
            0,
            "create in this order: 3g.40gb, 1g.10gb+me",
        ),
        (["nvidia.com/mig-1g.6gb.me=1"], 2, "name the GPU model: --gpu A30-24GB"),
        (
            ["--gpu", "H100-80GB", "--keep", "3g.40gb@0"],
            0,
            "what still fits: 3g.40gb=1\n               or: 2g.20gb=1 1g.20gb=1",
        ),
        (["--gpu", "H100-80GB", "--keep", "mig-3g.40gb@4:4", "4g.40gb"], 0, "4g.40gb at 0:4, 3g.40gb at 4:4"),
        (
            ["--gpu", "H100-80GB", "--keep", "3g.40gb@0", "4g.40gb"],
            1,
            "3g.40gb takes memory slices 0–3; 4g.40gb needs 4",
        ),
        (["--gpu", "H100-80GB", "--keep", "7g.80gb@0"], 0, "what still fits: nothing"),
        (["--gpu", "H100-80GB", "--keep", "3g.40gb@1"], 2, "takes 4 memory slices and starts at 0, 4"),
        (["--gpu", "H100-80GB", "--keep", "3g.40gb@0", "--keep", "2g.20gb@2"], 2, "they overlap each other"),
        (
            ["--gpu", "H100-80GB", "--keep", "3g.40gb"],
            2,
            "must be a profile and its first memory slice, as in 3g.40gb@4",
        ),
        (["--keep", "3g.40gb@0"], 2, "--keep is for the slices of one GPU; name its model with --gpu"),
        (["no-such-file.yaml"], 2, "cannot be read: No such file"),
        ([], 2, "Missing argument"),
    ],
)
def test_the_exit_status_is_the_verdict(words: list[str], exit_code: int, text: str) -> None:
    result = run("check", *words)
    assert result.exit_code == exit_code, result.output
    assert text in result.output


def test_json_has_verdict_placements_order_and_reason() -> None:
    answer = json.loads(run("check", "--gpu", "H100-80GB", "4g.40gb=1", "3g.40gb=1", "--json").output)
    assert answer["verdict"] == "feasible"
    assert answer["placements"] == [
        {"profile": "4g.40gb", "start": 0, "size": 4},
        {"profile": "3g.40gb", "start": 4, "size": 4},
    ]
    assert answer["creationOrder"] == ["4g.40gb", "3g.40gb"]
    answer = json.loads(run("check", "--gpu", "H100-80GB", "1g.10gb=8", "--json").output)
    assert (answer["nearest"][0], answer["nearestProven"]) == ({"1g.10gb": 7}, [True, True, True])
    answer = json.loads(run("check", "--gpu", "GB200-186GB", "1g.24gb=8", "--json").output)
    assert (answer["nearest"][0], answer["nearestProven"]) == ({"1g.24gb": 7}, [False, False, False])


def test_a_proof_is_printed_with_slices_gib_and_sms() -> None:
    result = run("check", "--gpu", "A100-80GB", "1g.10gb=4", "1c.3g.40gb=3")
    assert "  offers 4x 1g.10gb, each with 9.50 GiB and 14 SMs\n" in result.output
    assert "  offers 3x 1c.3g.40gb, each with 14 SMs; parts of one 3g.40gb share 39.25 GiB\n" in result.output
    assert "parts of one 4g.48gb share an unknown amount" in run("check", "--gpu", "H20-96GB", "1c.4g.48gb").output
    assert "each with an unknown amount of memory" in run("check", "--gpu", "H20-96GB", "2g.24gb").output
    answer = json.loads(run("check", "--gpu", "H100-80GB", "1g.10gb=7", "--json").output)
    assert answer["capacity"] == {"1g.10gb": {"slices": 7, "memoryGib": 68.25, "sms": 112, "memorySharedIn": None}}
    (part,) = json.loads(run("check", "--gpu", "A100-80GB", "1c.3g.40gb=3", "--json").output)["capacity"].values()
    assert part["memorySharedIn"] == "3g.40gb"
    assert part["memoryGib"] == pytest.approx(39.25, abs=0.01), (
        "the memory that they share, not three times that memory"
    )
    assert json.loads(run("check", "--gpu", "H100-80GB", "1g.10gb=8", "--json").output)["capacity"] == {}


def test_what_we_write_is_sound(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(parted.dump([Layout.uniform("dense", "H100-80GB", {"1g.10gb": 7})]))
    result = run("check", path)
    assert (result.exit_code, result.output) == (0, f"{path}: sound\n")


def test_the_stacks_of_this_repository_are_sound() -> None:
    result = run("check", *sorted(Path("stacks").glob("Pulumi.*.yaml")))
    assert result.exit_code == 0, result.output


PARTED = """\
version: v1
mig-configs:
  dense:
    - device-filter: "0x2330"
      devices: all
      mig-enabled: true
      mig-devices: {1g.10gb: 7}
  dense:
    - device-filter: "0x233010DE"
      devices: [1]
      mig-enabled: true
      mig-devices: {1c.1g.10gb: 7}
"""


def test_every_finding_in_a_mig_parted_file_has_its_line(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(PARTED)
    result = run("check", path)
    assert result.exit_code == 1
    for place, text in (
        (8, "duplicate key 'dense'"),
        (12, "write 1g.10gb"),
        (8, "GPU 0 of 0x233010DE has no entry"),
        (2, "no config all-disabled"),
    ):
        assert any(f"{path}:{place}: " in line and text in line for line in result.output.splitlines()), result.output


def test_advice_alone_leaves_a_file_sound(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    layout = Layout.parse("some", {"gpu": "H100-80GB", "gpus": [{"devices": [0], "profiles": {"1g.10gb": 7}}]})
    path.write_text(parted.dump([layout]))
    result = run("check", path)
    assert result.exit_code == 0, result.output
    assert "advice: " in result.output
    assert run("check", path, "--gpus-per-node", 2).exit_code == 1


def test_the_same_advice_is_printed_once(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    configs = "".join(
        f"  c{number}: [{{devices: all, mig-enabled: true, mig-devices: {{1g.10gb: 7}}}}]\n" for number in range(9)
    )
    path.write_text(f"version: v1\nmig-configs:\n  all-disabled: [{{devices: all, mig-enabled: false}}]\n{configs}")
    result = run("check", path)
    assert result.exit_code == 0, result.output
    assert "8 other entries have no device-filter either" in result.output
    assert len(result.output.splitlines()) == 3


def test_the_file_in_a_config_map_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    inner = "".join(f"    {line}\n" for line in PARTED.splitlines())
    path.write_text(f"kind: ConfigMap\ndata:\n  config.yaml: |\n{inner}")
    result = run("check", path)
    assert result.exit_code == 1
    assert f"{path}, key config.yaml:12: " in result.output


def test_the_file_in_each_config_map_of_a_list_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "maps.yaml"
    inner = "".join(f"      {line}\n" for line in PARTED.splitlines())
    named = "".join(
        f"- kind: ConfigMap\n  metadata: {{name: {name}}}\n  data:\n    config.yaml: |\n{inner}" for name in "ab"
    )
    path.write_text(f"kind: List\nitems:\n{named}")
    result = run("check", path)
    assert result.exit_code == 1
    for name in "ab":
        assert f"{path}, ConfigMap {name}, key config.yaml:12: " in result.output


def test_saved_nodes_are_no_layouts_and_import_reads_them(tmp_path: Path) -> None:
    (tmp_path / "nodes.yaml").write_text("kind: List\nitems:\n- {kind: Node, metadata: {name: a}}\n")
    result = run("check", tmp_path / "nodes.yaml")
    assert result.exit_code == 2
    assert "`mig-fleet import` writes a stack file from its nodes" in result.output


def test_every_mistake_in_a_stack_file_has_its_line(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.broken.yaml"
    path.write_text(
        "config:\n  mig-fleet:layouts:\n"
        "    a: {gpu: H100-80GB, all: {1g.1gb: 7}}\n    b: {gpu: H100-80GB, all: {4g.40gb: 2}}\n"
        "  mig-fleet:pools:\n    p: {gpu: H100-80GB, gpusPerNode: 8, nodes: [n], layout: b}\n"
        "  mig-fleet:cluster: {context: c}\n"
    )
    result = run("check", path)
    assert result.exit_code == 1
    assert f"{path}:3: layouts.a.all.1g.1gb: unknown MIG profile '1g.1gb'; did you mean '1g.10gb'?" in result.output
    assert f"{path}:4: layouts.b: impossible on H100-80GB: " in result.output
    assert "need 8 compute slices" in result.output


UNPROVEN = """\
config:
  mig-fleet:layouts:
    new: {gpu: GB300-278GB, all: {1g.35gb: 2}}
    spare: {gpu: GB300-278GB, all: {1g.35gb: 1}}
  mig-fleet:pools:
    p: {gpu: GB300-278GB, gpusPerNode: 4, nodes: [n], layout: new}
  mig-fleet:cluster: {context: c}
"""


def test_an_unproven_stack_file_has_another_exit_status_than_a_wrong_one(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.new.yaml"
    path.write_text(UNPROVEN)
    result = run("check", path)
    assert result.exit_code == 3, result.output
    assert [line.partition(": ")[0] for line in result.output.splitlines()] == [f"{path}:3", f"{path}:4"]
    levels = [finding["level"] for finding in json.loads(run("check", path, "--json").output)[str(path)]]
    assert levels == ["unproven", "unproven"]
    path.write_text(UNPROVEN.replace("layout: new", "layout: newer"))
    assert run("check", path).exit_code == 1, "a mistake outweighs an unproven layout"


NAMED_BY_THE_BOARD = """\
version: v1
mig-configs:
  all-disabled: [{devices: all, mig-enabled: false}]
  all-enabled: [{devices: all, mig-enabled: true, mig-devices: {}}]
  all-3g.95gb: [{devices: all, mig-enabled: true, mig-devices: {3g.95gb: 2}}]
  all-1g.24gb: [{device-filter: "0x294110DE", devices: all, mig-enabled: true, mig-devices: {1g.24gb: 7}}]
  everywhere-1g.24gb: [{devices: all, mig-enabled: true, mig-devices: {1g.24gb: 7}}]
"""


def test_names_that_only_some_boards_report_are_unproven_and_not_wrong(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(NAMED_BY_THE_BOARD)
    result = run("check", path)
    assert result.exit_code == 3, result.output
    unproven = [line for line in result.output.splitlines() if line.endswith("(unproven)")]
    assert [line.split(": ")[0] for line in unproven] == [f"{path}:5", f"{path}:6", f"{path}:7"]
    assert all("names differ between boards of GB200-186GB" in line for line in unproven)


CONTRADICTING = """\
version: v1
mig-configs:
  all-disabled: [{devices: all, mig-enabled: false}]
  dense:
    - {device-filter: "0x233010DE", devices: all, mig-enabled: true, mig-devices: {1g.10gb: 7}}
    - {device-filter: "0x233010DE", devices: [0], mig-enabled: false}
"""


def test_entries_that_switch_mig_on_and_off_for_one_gpu_are_wrong_at_the_line_of_the_later_one(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CONTRADICTING)
    result = run("check", path)
    assert result.exit_code == 1, result.output
    assert f"{path}:6: mig-configs.dense[1]: switches MIG off for GPU 0 of 0x233010DE" in result.output


FOR_ONE_OF_THEM = """\
version: v1
mig-configs:
  all-disabled: [{{devices: all, mig-enabled: false}}]
  dense: [{{devices: all, mig-enabled: true, mig-devices: {{{profiles}}}}}]
"""


@pytest.mark.parametrize(
    ("profiles", "exit_code", "text"),
    [
        ("1g.24gb: 7", 3, "unproven on GB200-186GB: "),
        ("1g.35gb: 7", 3, "unproven on GB300-278GB: "),
        ("1g.24gb: 4", 0, "sound"),
        ("1g.24gb: 8", 1, "impossible on H100-94GB: "),
        ("1c.2g.48gb: 2", 3, "no source states how 2g.48gb is split on RTX PRO 6000"),
    ],
)
def test_an_entry_without_a_filter_is_wrong_only_if_it_is_impossible_on_every_model(
    profiles: str, exit_code: int, text: str, tmp_path: Path
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(FOR_ONE_OF_THEM.format(profiles=profiles))
    result = run("check", path)
    assert result.exit_code == exit_code, result.output
    assert text in result.output
    assert ("impossible on" in result.output) is (exit_code == 1), "it is enough if one model may have it"


@pytest.mark.parametrize("command", [["check"], ["plan", "--file"], ["import"]], ids=" ".join)
@pytest.mark.parametrize("content", OTHER_FILES)
def test_a_file_of_another_kind_is_one_error_with_its_place_and_no_traceback(
    command: list[str], content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "other.yaml"
    path.write_bytes(content)
    result = run(*command, path)
    assert result.exit_code in (1, 2), result.output
    *usage, error = result.output.splitlines()
    assert str(path) in error, result.output
    assert all(line.startswith(("Usage: ", "Try ")) or not line for line in usage), "one error and no more"
    assert isinstance(result.exception, SystemExit), "no traceback"


def test_a_config_map_without_the_managers_key_is_reported_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text("kind: ConfigMap\ndata: {other: x}\n")
    assert f"{path}:2: the ConfigMap has no key config.yaml" in run("check", path).output


def test_text_after_the_first_document_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text("version: v1\n---\nversion: v2\n")
    result = run("check", path)
    assert result.exit_code == 1
    assert "only the first document is read" in result.output


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        (
            "values.yaml",
            "config: {default: none, map: {none: 'version: v1'}}\n",
            "is neither a stack file (keys mig-fleet:",
        ),
        ("values.yaml", "config: {mig-fleet:pools: 7}\n", "pools: must be a mapping"),
        ("values.yaml", "config: {pools: 7}\n", "pools: must be a mapping"),
        ("Pulumi.new.yaml", "config: {aws:region: x}\n", "layouts: is missing"),
        ("Pulumi.new.yaml", "", "has no `config:` section"),
    ],
)
def test_a_stack_file_is_known_by_our_keys_or_by_its_name(name: str, text: str, found: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    assert found in run("check", tmp_path / name).output

"""Every block of a page is executed, read by the reader of stack files, part of a file of this repository, or listed
here with the reason why it is not.
"""

import ast
import json
import textwrap
from typing import Any

import pytest
import yaml

import mig_fleet
from mig_fleet.documents import parse
from mig_fleet.stack_file import fleet
from tests.docs.blocks import ROOT, Block, blocks
from tests.docs.commands import accept, commands
from tests.examples.programs import run

BASE: dict[str, Any] = {
    "mig-fleet:cluster": {"context": "c"},
    "mig-fleet:layouts": {name: {"gpu": "H100-80GB", "all": {"1g.10gb": 7}} for name in ("dense", "inference-dense")},
    "mig-fleet:pools": {"a": {"gpu": "H100-80GB", "gpusPerNode": 8, "nodes": ["n"], "layout": "dense"}},
}
"""What a block with one section of a stack file is completed with."""

LISTED = {
    ("docs/concepts/slices.md", "resources:"): "part of a pod",
    ("docs/how-to/claim-slices.md", "apiVersion:"): "created in tests/engine/test_dra.py",
    ("docs/how-to/adopt.md", "migManager:"): "chart values; the same text is in errors, which test_adopt_page.py reads",
    ("docs/reference/command-line.md", "# yaml-language-server: $schema="): "a comment for editors",
    ("docs/reference/rollout.md", "taints:"): "part of a node template of others",
    ("docs/reference/rollout.md", "daemonsets:"): "chart values of an operator of others",
    ("docs/reference/rollout.md", "unfinishedNodes:"): "its sentences are tested in tests/rollout/test_unfinished.py",
    ("docs/reference/rollout.md", "nothing was changed:"): "as tested in tests/rollout/test_stranded_pods.py",
    ("docs/reference/rollout.md", "the cluster is owned by"): "as tested in tests/observed/test_cluster_owner.py",
    ("docs/reference/rollout.md", "this stack was deployed to"): "as in tests/components/test_cluster_identity.py",
    ("docs/reference/rollout.md", "object missing:"): "as tested in tests/engine/test_supporting_objects.py",
    ("docs/reference/rollout.md", "the user of this kubeconfig"): "as tested in tests/observed/test_rights.py",
    ("docs/reference/monitoring.md", "Advice about"): "compared in tests/advice/test_command.py",
    ("docs/reference/errors.md", ""): "compared as a whole in tests/docs/test_reference_pages.py",
    ("docs/reference/faults.md", ""): "compared as a whole in tests/faults/test_document.py",
}
"""Page and beginning of a block → why it is neither executed nor read here."""

BLOCKS = blocks()


def listed(block: Block) -> list[tuple[str, str]]:
    return [entry for entry in LISTED if entry[0] == block.page and block.first.startswith(entry[1])]


def chosen(*languages: str) -> list[Block]:
    """The blocks in these languages that are neither part of a file nor listed."""
    return [
        block
        for block in BLOCKS
        if block.language in languages and not listed(block) and not block.note.startswith("from: ")
    ]


def test_every_block_is_of_a_kind_that_is_tested() -> None:
    tested = [
        *chosen("sh", "yaml", "python", "json"),
        *(it for it in BLOCKS if it.note.startswith(("from: ", "transcript: "))),
    ]
    unknown = [
        f'("{it.page}", "{it.first[:40]}"): "why it is not tested",'
        for it in BLOCKS
        if it not in tested and not listed(it)
    ]
    assert not unknown, (
        "above a block write <!-- from: FILE --> if it is part of a file, or <!-- transcript: COMMAND --> if a command "
        f"prints it; else add to LISTED in {__file__}:\n" + "\n".join(unknown)
    )


def test_the_list_has_no_block_that_is_gone() -> None:
    used = {entry for block in BLOCKS for entry in listed(block)}
    assert LISTED.keys() == used


@pytest.mark.parametrize("block", chosen("sh"), ids=str)
def test_a_command_exists_and_takes_its_arguments(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for command in commands(block.text):
        if "…" not in command:
            accept(command)


@pytest.mark.parametrize("block", chosen("yaml"), ids=str)
def test_a_stack_file_or_a_section_of_one_is_accepted(block: Block) -> None:
    shown = yaml.safe_load(textwrap.dedent(block.text).replace("sha256:…", f"sha256:{'a' * 64}"))
    config = shown.get("config", {**BASE, **shown})
    assert fleet.from_document(parse("the block", yaml.safe_dump({"config": config}).encode())).pools


@pytest.mark.parametrize("block", chosen("json"), ids=str)
def test_json_can_be_read(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", [it for it in BLOCKS if it.note.startswith("from: ")], ids=str)
def test_a_block_is_part_of_the_file_that_it_names(block: Block) -> None:
    file = ROOT / block.note.removeprefix("from: ")
    assert block.text in file.read_text("utf-8"), f"{block.page} must show the lines of {file.relative_to(ROOT)}"


@pytest.mark.parametrize("block", chosen("python"), ids=str)
def test_a_program_registers_every_component_that_it_imports(block: Block) -> None:
    imported = {
        alias.name
        for node in ast.walk(ast.parse(block.text))
        if isinstance(node, ast.ImportFrom) and node.module == "mig_fleet"
        for alias in node.names
    }
    assert imported <= set(mig_fleet.__all__)
    program = compile(block.text, block.page, "exec")
    created = run(lambda: exec(program, {"__name__": "__main__"}))
    assert {f"mig-fleet:index:{name}" for name in imported} <= {kind for kind, _ in created.values()}

"""One file has one meaning: each way into mig-fleet reads it as NVIDIA's mig-parted does, or refuses it for the same
reason.
"""

import ast
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mig_fleet.documents import DocumentError
from mig_fleet.model import parted
from mig_fleet.model.parted import Entry, PartedFile
from mig_fleet.stack_file import fleet
from tests.documents.entrances import OF_BYTES, OF_TEXT, Entrance, live_file, mig_fleet
from tests.hostile import LAYOUT_FILES, OTHER_FILES, UNREADABLE, LayoutFile

ROOT = Path(__file__).parents[2]
ENTRANCES = [*OF_BYTES, *OF_TEXT]


def name_of(entrance: Entrance) -> str:
    return getattr(entrance, "__name__", "")


@pytest.fixture
def read_files(monkeypatch: pytest.MonkeyPatch) -> list[PartedFile]:
    """Each layout file that an entrance accepts, as the model got it."""
    found: list[PartedFile] = []
    read = parted.read

    def record(document: object) -> PartedFile:
        found.append(read(document))
        return found[-1]

    monkeypatch.setattr(parted, "read", record)
    return found


@pytest.mark.parametrize("file", LAYOUT_FILES, ids=lambda file: file.name)
def test_a_layout_file_has_the_same_meaning_at_each_entrance(
    file: LayoutFile, tmp_path: Path, read_files: list[PartedFile]
) -> None:
    path = tmp_path / "layouts.yaml"
    path.write_bytes(file.text.encode())
    for entrance in ENTRANCES:
        read_files.clear()
        output = entrance(path)
        if isinstance(file.expected, tuple):
            place, reason = file.expected
            assert read_files == [], name_of(entrance)
            assert place in output and reason in output, name_of(entrance)
            continue
        (read,) = read_files
        assert read.configs["dense"] == (file.expected,), name_of(entrance)
        if file.ignored and entrance is not live_file:
            assert file.ignored in output, f"{name_of(entrance)} must report what mig-parted ignores without a message"


@pytest.mark.parametrize(("content", "reason"), UNREADABLE, ids=[reason for _, reason in UNREADABLE])
def test_a_file_without_a_meaning_is_refused_for_the_same_reason_at_each_entrance(
    content: bytes, reason: str, tmp_path: Path, read_files: list[PartedFile]
) -> None:
    path = tmp_path / "layouts.yaml"
    path.write_bytes(content)
    for entrance in OF_BYTES if "not UTF-8" in reason else ENTRANCES:
        output = entrance(path)
        assert read_files == [], name_of(entrance)
        assert reason in output, name_of(entrance)
        assert len(output.splitlines()) <= 4, f"{name_of(entrance)}: one error and at most the usage of the command"


@pytest.mark.parametrize(("content", "reason"), UNREADABLE, ids=[reason for _, reason in UNREADABLE])
def test_a_stack_file_is_refused_for_the_same_reason(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.hostile.yaml"
    path.write_bytes(content)
    with pytest.raises(DocumentError) as refused:
        fleet.from_file(path)
    assert reason in str(refused.value)
    assert reason in mig_fleet("plan", "--file", path)


@pytest.mark.parametrize("content", OTHER_FILES)
def test_a_file_of_another_kind_is_never_read_as_a_layout_file(
    content: bytes, tmp_path: Path, read_files: list[PartedFile]
) -> None:
    path = tmp_path / "other.yaml"
    path.write_bytes(content)
    for entrance in ENTRANCES:
        entrance(path)
        assert read_files == [], name_of(entrance)


@pytest.mark.slow
def test_nvidias_own_parser_reads_each_layout_file_with_the_same_meaning(mig_parted_spec: str) -> None:
    questions = "\n".join(json.dumps(file.text) for file in LAYOUT_FILES)
    command = [mig_parted_spec, "-gpus", "0x233010DE"]
    output = subprocess.run(command, input=questions, capture_output=True, text=True, timeout=120, check=True).stdout
    for file, answer in zip(LAYOUT_FILES, map(json.loads, output.splitlines()), strict=True):
        if isinstance(file.expected, tuple):
            assert "error" in answer, file.name
        else:
            (entry,) = answer["configs"]["dense"]
            devices = None if entry["devices"] == "all" else tuple(entry["devices"])
            filters = (entry["device-filter"],) if entry.get("device-filter") else ()
            read = Entry(filters, devices, entry["mig-enabled"], entry["mig-devices"] or {})
            assert read == file.expected, file.name


OTHER_FORMATS = {
    "mig_fleet/cluster/session.py": "the Kubernetes client reads kubeconfigs",
    "mig_fleet/simulator": "the simulated cluster is not mig-fleet",
}
PARSERS = {"parse", "load", "load_all", "safe_load", "safe_load_all", "full_load", "compose", "scan", "SafeLoader"}


def test_no_other_module_parses_yaml() -> None:
    found = {
        str(path.relative_to(ROOT))
        for folder in ("mig_fleet", "components", "stacks", "policy")
        for path in (ROOT / folder).rglob("*.py")
        if PARSERS & set(yaml_attributes(path)) and not str(path.relative_to(ROOT)).startswith(tuple(OTHER_FORMATS))
    }
    assert found == {"mig_fleet/documents/builder.py"}, "read it with mig_fleet.documents"


def yaml_attributes(path: Path) -> Iterator[str]:
    text = path.read_text()
    for node in ast.walk(ast.parse(text)) if "yaml" in text else ():
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "yaml":
            yield node.attr
        if isinstance(node, ast.ImportFrom) and node.module == "yaml":
            yield from (alias.name for alias in node.names)

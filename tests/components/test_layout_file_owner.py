"""The layout file records the cluster's owner; another stack neither writes nor deletes it."""

from typing import Any

import pytest

from mig_fleet.components import layout_file
from mig_fleet.components.layout_file import LayoutFileFailed, LayoutFileProvider
from mig_fleet.model import labels, parted
from mig_fleet.observed.snapshot import Snapshot
from tests.memory.fleet import DENSE

FILE, PROVIDER = parted.dump([DENSE]), LayoutFileProvider()
OURS, RENAMED = "aaaaaaaaaaaa acme/mig-fleet/prod", "aaaaaaaaaaaa acme/mig-fleet/europe"
THEIRS = "bbbbbbbbbbbb acme/gpus/prod"


class RecordedFile:
    """A cluster with the stack's layout file, and the owner that it records."""

    def __init__(self) -> None:
        self.annotations: dict[str, str] = {}
        self.deleted = False

    def config_map(self, _namespace: str, _name: str) -> dict[str, object]:
        return {"metadata": {"annotations": self.annotations}, "data": {labels.LAYOUTS_KEY: FILE}}

    def config_maps(self, _namespace: str) -> list[object]:
        return []

    def write_config_map(self, _namespace: str, _name: str, _data: object, annotations: dict[str, str]) -> None:
        self.annotations |= annotations

    def get(self, _path: str) -> dict[str, list[object]]:
        return {"items": []}

    def delete_config_map(self, _namespace: str, _name: str) -> None:
        self.deleted = True


@pytest.fixture
def file(monkeypatch: pytest.MonkeyPatch) -> RecordedFile:
    found = RecordedFile()
    monkeypatch.setattr(layout_file, "Cluster", lambda _args: found)
    monkeypatch.setattr(layout_file, "observe", lambda *_: Snapshot())
    return found


def properties(owner: str = OURS, **changes: Any) -> dict[str, Any]:
    return {"cluster": {}, "namespace": "gpu-operator", "file": FILE, "owner": owner, **changes}


def test_the_owner_is_written_with_the_file(file: RecordedFile) -> None:
    assert PROVIDER.create(properties()).outs == properties(carried="")
    assert file.annotations == {labels.OWNER: OURS}
    assert "drift" not in PROVIDER.check(properties(), properties()).inputs


def test_a_renamed_stack_writes_its_new_name(file: RecordedFile) -> None:
    file.annotations[labels.OWNER] = OURS
    inputs = PROVIDER.check(properties(), properties(RENAMED)).inputs
    assert "drift" not in inputs, "the id is the same"
    assert PROVIDER.diff("id", properties(), inputs).changes is True
    PROVIDER.update("id", properties(), inputs)
    assert file.annotations == {labels.OWNER: RENAMED}


@pytest.mark.parametrize(
    ("recorded", "drift"),
    [
        ({}, "its owner is not recorded, expected stack acme/mig-fleet/prod"),
        ({labels.OWNER: THEIRS}, "its owner is stack acme/gpus/prod, expected stack acme/mig-fleet/prod"),
    ],
    ids=["no owner", "another owner"],
)
def test_another_record_is_drift(file: RecordedFile, recorded: dict[str, str], drift: str) -> None:
    file.annotations = recorded
    inputs = PROVIDER.check(properties(), properties()).inputs
    assert inputs["drift"] == [f"ConfigMap edited: {drift}"]
    assert PROVIDER.diff("id", properties(), inputs).changes is True


def test_the_file_of_another_stack_is_written_only_in_a_take_over(file: RecordedFile) -> None:
    file.annotations[labels.OWNER] = THEIRS
    for props in (properties(), properties(""), properties(takeOver="acme/gpus/prod")):
        with pytest.raises(LayoutFileFailed, match="the cluster is owned by stack acme/gpus/prod"):
            PROVIDER.create(props)
    assert file.annotations == {labels.OWNER: THEIRS}
    PROVIDER.create(properties(takeOver=THEIRS))
    assert file.annotations == {labels.OWNER: OURS}


def test_the_file_of_another_stack_is_not_deleted(file: RecordedFile) -> None:
    file.annotations[labels.OWNER] = THEIRS
    for props in (properties(), properties("")):
        with pytest.raises(LayoutFileFailed, match="the cluster is owned by stack acme/gpus/prod"):
            PROVIDER.delete("id", props)
    assert not file.deleted
    file.annotations[labels.OWNER] = RENAMED
    PROVIDER.delete("id", properties())
    assert file.deleted


def test_a_program_without_an_owner_writes_and_deletes_as_before(file: RecordedFile) -> None:
    props = {key: value for key, value in properties().items() if key != "owner"}
    PROVIDER.create(props)
    assert file.annotations == {}
    assert "drift" not in PROVIDER.check(props, props).inputs
    PROVIDER.delete("id", props)
    assert file.deleted

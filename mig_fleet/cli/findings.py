"""The findings in a stack file or a mig-parted file, each at its line."""

from collections.abc import Mapping
from pathlib import PurePath

from mig_fleet.cli.config_map import files_of
from mig_fleet.documents import Document, DocumentError
from mig_fleet.model import parted
from mig_fleet.model.errors import InvalidPartedFile
from mig_fleet.model.finding import Finding
from mig_fleet.model.parted.lint import LintRule, lint
from mig_fleet.stack_file import fleet
from mig_fleet.stack_file.conflicting_settings import doubtful_settings
from mig_fleet.stack_file.problems import InvalidSettings
from mig_fleet.stack_file.reading import is_stack_file, written_path


def check_document(document: Document, gpus_per_node: int | None = None) -> list[Finding]:
    """All findings, empty if the file is sound. The path of a finding is the file and the line: ``file.yaml:12``.

    Raises DocumentError for a file that is neither a stack file nor a mig-parted file, alone or in ConfigMaps.
    """
    if is_stack_file(document.data) or _is_named_as_stack_file(document):
        return document.ignored + _check_stack(document)
    inner = files_of(document)
    if inner is not None:
        return document.ignored + [finding for file in inner for finding in _check_file(file, gpus_per_node)]
    return _check_file(document, gpus_per_node)


def _check_file(document: Document, gpus_per_node: int | None) -> list[Finding]:
    data = document.data
    if data is None or (isinstance(data, Mapping) and ({"version", "mig-configs"} & set(data))):
        return document.ignored + _check_parted(document, gpus_per_node)
    why = (
        "is neither a stack file (keys mig-fleet:… below config:) nor a mig-parted file (version, mig-configs); "
        "`mig-fleet import` reads other sources of layouts and nodes"
    )
    raise DocumentError(document.name, why)


def _is_named_as_stack_file(document: Document) -> bool:
    """Whether it is a stack file without any section of mig-fleet."""
    name = PurePath(document.name).name
    has_config = isinstance(document.data, Mapping) and "config" in document.data
    return (has_config or document.data is None) and name.startswith("Pulumi.")


def _check_stack(document: Document) -> list[Finding]:
    try:
        found = [*doubtful_settings(fleet.from_document(document).settings)]
    except InvalidSettings as exc:
        found = [*exc.problems]
    return [Finding(_place(document, it.path), _text(document, it), it.rule, it.level) for it in found]


def _place(document: Document, path: str) -> str:
    return document.at(written_path(document, path)) if path else document.name


def _text(document: Document, finding: Finding) -> str:
    """With the line of the other place, if two places contradict each other."""
    return f"{finding}; see {_place(document, finding.also)}" if finding.also else str(finding)


def _check_parted(document: Document, gpus_per_node: int | None) -> list[Finding]:
    try:
        file = parted.read(document.data)
    except InvalidPartedFile as exc:
        return [Finding(document.at(exc.path), f"mig-parted refuses it: {exc}")]
    found = lint(file, gpus_per_node)
    unfiltered = [finding for finding in found if finding.rule == LintRule.OTHER_GPUS_SELECTED]
    listed = [
        Finding(document.at(finding.path), f"{finding} ({finding.rule})", finding.rule, finding.level)
        for finding in found
        if finding not in unfiltered[1:]
    ]
    if len(unfiltered) > 1:
        others = f"{len(unfiltered) - 1} other entries have no device-filter either"
        rule = LintRule.OTHER_GPUS_SELECTED
        listed.append(Finding(document.at(unfiltered[1].path), others, rule, rule.level))
    return listed

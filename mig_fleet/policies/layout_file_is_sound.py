"""mig-layout-file-is-sound: a hand-written layout file has nothing that NVIDIA's tools accept and then misread."""

from collections.abc import Mapping

from mig_fleet.model import parted
from mig_fleet.model.errors import InvalidPartedFile
from mig_fleet.model.finding import Finding, Level
from mig_fleet.model.parted.lint import lint
from mig_fleet.policies.rule import Rule

KEY = "mig-configs"
"""The key that makes a document a layout file (mig-parted api/spec/v1)."""


def is_layout_file(document: object) -> bool:
    """Whether parsed YAML has the key of a layout file."""
    return isinstance(document, Mapping) and KEY in document


def check(document: object) -> list[Finding]:
    """The findings of a layout file, as parsed YAML.

    Advice is left out: it depends on the nodes, and a ConfigMap does not describe them.
    """
    try:
        file = parted.read(document)
    except InvalidPartedFile as exc:
        return [Finding(exc.path, f"mig-parted refuses it: {exc.why}", Rule.FILE)]
    return [finding for finding in lint(file) if finding.level is not Level.ADVICE]

"""mig-layout-file-is-sound: a hand-written layout file has nothing that NVIDIA's tools accept and then misread."""

from collections.abc import Iterator, Mapping

from mig_fleet.documents import DocumentError, parse
from mig_fleet.model import parted
from mig_fleet.model.errors import InvalidPartedFile
from mig_fleet.model.finding import Finding, Level
from mig_fleet.model.parted.lint import lint
from mig_fleet.policies.config_map_facts import ConfigMapText
from mig_fleet.policies.policy import Policy, without_parameters
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


def check_text(found: ConfigMapText) -> list[Finding]:
    """The findings of a text in a ConfigMap: none if it is no layout file, one without any of it if it is secret."""
    problems = list(_problems(found)) if KEY in found.text else []
    if problems and found.secret:
        problems = [f"{found.key} is secret, so its mistakes are not shown; run `mig-fleet check` on its file"]
    text = f"ConfigMap '{found.config_map}' must hold a sound layout file: "
    return [Finding(found.config_map, text + problem, Rule.FILE) for problem in problems]


def _problems(found: ConfigMapText) -> Iterator[str]:
    """One sentence for each problem, with the key and, if known, the line."""
    try:
        document = parse(found.key, found.text.encode())
    except DocumentError as exc:
        yield str(exc)
        return
    if is_layout_file(document.data):
        yield from map(str, document.ignored)
        for finding in check(document.data):
            yield f"{document.at(finding.path) if finding.path else found.key}: {finding}"


POLICY = Policy(
    name=Rule.FILE,
    title="Layout file is sound",
    sentence="A ConfigMap with mig-configs must not hold what mig-parted accepts and then misreads: a device filter "
    "that matches no GPU, a profile or a layout that the selected GPU does not have, entries that switch MIG on and "
    "off for one GPU, a duplicate key, a missing config all-disabled.",
    facts=ConfigMapText,
    check=without_parameters(check_text),
    remedy="Correct the file; `mig-fleet check FILE` shows the same problems with their lines.",
    unknown="decided in the update, before the ConfigMap is created or changed",
    tags=("layout",),
)

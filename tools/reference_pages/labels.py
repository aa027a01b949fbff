"""docs/reference/labels.md: names of labels, annotations, taints and objects in the cluster."""

import re

from mig_fleet.model import labels
from tools.reference_pages.source import ROOT, constants, table

FILE = "mig_fleet/model/labels.py"
ARCHITECTURE = "docs/architecture.md"
KIND = "NODE_FEATURE_RULE"
"""A kind of object, not a name."""


def page() -> str:
    documented = [each for each in constants(FILE) if each.text and isinstance(getattr(labels, each.name), str)]
    rows = [(f"`{getattr(labels, each.name)}`", each.text) for each in documented if each.name != KIND]
    names = table("| name | what it is |", *rows)
    exchanged = table("| name | where it is | who writes it → who reads it |", *_exchanged())
    return "\n".join(["## Names\n", _without_constants(names), "## Who writes and reads them\n", exchanged])


def _without_constants(text: str) -> str:
    """A name of a constant becomes the name that it stands for."""

    def value(found: re.Match[str]) -> str:
        constant = getattr(labels, found[1], None)
        return f"`{constant}`" if isinstance(constant, str) else found[0]

    return re.sub(r"`([A-Z_]+)`", value, text)


def _exchanged() -> list[tuple[str, ...]]:
    text = (ROOT / ARCHITECTURE).read_text("utf-8").partition("\n## What the parts exchange\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| (.+) \| (.+?→.+?) \|$", text, re.MULTILINE)
    return [tuple(part.replace("](adr/", "](../adr/") for part in row) for row in rows[1:]]

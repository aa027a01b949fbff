"""The runbooks of docs/reference/monitoring.md: their sections, commands and thresholds."""

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FILE: Final = Path("docs/reference/monitoring.md")
PLACEHOLDERS: Final = ("STACK", "NODE", "NAMESPACE", "POD", "PROMETHEUS")
"""Words that a reader replaces; the page names them."""
READ_ONLY: Final = {
    "kubectl": {"get", "describe", "logs"},
    "mig-fleet": {"advise", "monitoring", "plan", "status"},
    "promtool": {"query"},
    "pulumi": {"preview"},
}


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a runbook, with its placeholders."""

    alert: str
    text: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text)

    @property
    def verb(self) -> str:
        """The first word that is neither the program nor its option for a namespace."""
        words = self.words[1:]
        return words[2] if words[0] == "-n" else words[0]

    @property
    def is_read_only(self) -> bool:
        """Whether it changes nothing, so that a test may run it anywhere."""
        return self.verb in READ_ONLY.get(self.words[0], ())

    def filled(self, values: Mapping[str, str]) -> list[str]:
        """The arguments, the program included, with a value for each placeholder that the command has."""
        return [re.sub(rf"\b({'|'.join(PLACEHOLDERS)})\b", lambda found: values[found[0]], word) for word in self.words]


def sections() -> dict[str, str]:
    """Alert → the text below the heading with its name."""
    page = FILE.read_text("utf-8")
    return dict(re.findall(r"^### (MIG\w+)\n(.*?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL))


def runbook_commands() -> list[Command]:
    """Each line of the shell blocks of all runbooks."""
    return [Command(alert, line) for alert, text in sections().items() for line in _lines(text)]


def _lines(text: str) -> Iterable[str]:
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        yield from block.splitlines()


def anchors() -> set[str]:
    """The anchors of all headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", FILE.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}

"""Text of others in Markdown: it can neither become markup nor mention a person, an issue or a commit.

GitHub and GitLab look for ``@name``, ``#1`` and addresses in the rendered text, so a backslash before them does not
help; they do not look into code. In a sentence, an invisible word joiner separates the sign from the name.
"""

import re

from mig_fleet.foreign_text import printable

JOINER = "\u2060"
"""U+2060, word joiner."""

_MARKUP = re.compile(r"([\\`*_\[\]<>#!|~&$])")
_AT_START = re.compile(r"^(?:(\d{1,9})(?=[.)])|(?=[-+=:/]))")
"""What begins a list, a heading or, in GitLab, a command."""
_REFERENCE = re.compile(r"([@#!~%$&^]|\b(?:GH-|www\.|https?:))(?=[\w/])", re.IGNORECASE)


def sentence(text: str, limit: int = 2000) -> str:
    r"""A sentence with parts that are not ours, as Markdown. What is between backticks is code, if all have a partner.

    >>> print(sentence("run `a|b`: a|b*"), sentence("@team").replace(JOINER, "…"))
    run `a¦b`: a\|b\* @…team
    """
    line = _AT_START.sub(lambda found: (found[1] or "") + JOINER, _line(text, limit))
    parts = line.split("`")
    if len(parts) % 2 == 0 or "" in parts[1::2]:
        return _escaped(line)
    return "".join(code(part) if number % 2 else _escaped(part) for number, part in enumerate(parts)) or "–"


def _escaped(text: str) -> str:
    return _MARKUP.sub(r"\\\1", _REFERENCE.sub(lambda found: found[1] + JOINER, text))


def code(text: str, limit: int = 300) -> str:
    """A name in code font, safe in a table too. A backtick and a pipe are shown as characters that look like them.

    >>> code("a|b"), code("")
    ('`a¦b`', '–')
    """
    shown = _verbatim(text, limit)
    return f"`{shown}`" if shown else "–"


def block(lines: list[str]) -> str:
    """Lines in code font, one below the other."""
    # No line is a fence: it has no backtick. A picture is as wide as it is.
    return "\n".join(["```text", *(_verbatim(line, 4000, strip=False) for line in lines), "```"])


def cells(*columns: str) -> str:
    """A row of a table; the columns are Markdown already."""
    return f"| {' | '.join(columns)} |"


def folded(title: str, body: str) -> str:
    """A part that is shown after a click. ``title`` is ours: it is HTML here, and Markdown nowhere."""
    return f"<details>\n<summary>{title}</summary>\n\n{body}\n\n</details>"


def _line(text: str, limit: int) -> str:
    return printable(" ".join(text.split()), limit)


def _verbatim(text: str, limit: int, strip: bool = True) -> str:
    shown = printable(text, limit).replace("`", "ˋ").replace("|", "¦").replace("<!--", "<! --")
    return shown.strip() if strip else shown

"""The work of `mig-fleet review`: reads previews and event logs, prints the review."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

import click

from mig_fleet.cli.exit_codes import ExitCode
from mig_fleet.review.as_json import to_json
from mig_fleet.review.html import to_html
from mig_fleet.review.markdown import to_markdown
from mig_fleet.review.preview import NotAPreview, read_events, read_previews
from mig_fleet.review.reader import review_all
from mig_fleet.review.review import Outcome, Review
from mig_fleet.review.text import to_text

FORMATS: dict[str, Callable[[Sequence[Review]], str]] = {
    "markdown": to_markdown,
    "text": to_text,
    "html": to_html,
    "json": to_json,
}


def run(previews: Sequence[Path], events: Sequence[Path], chosen: str) -> NoReturn:
    """Print the review and exit; raises ``click.UsageError`` for a file that is no preview."""
    try:
        found = [preview for path in previews for preview in read_previews(*_named(path))]
        logs = [read_events(*_named(path)) for path in events]
    except NotAPreview as exc:
        raise click.UsageError(str(exc)) from None
    reviews = review_all(found, logs)
    click.echo(FORMATS[chosen](reviews), nl=False)
    refused = any(review.outcome is Outcome.REFUSED for review in reviews)
    sys.exit(ExitCode.FAILURE if refused else ExitCode.SUCCESS)


def _named(path: Path) -> tuple[str, str]:
    """A name for messages, and the text. What is not UTF-8 is no JSON either."""
    if str(path) == "-":
        return "standard input", sys.stdin.buffer.read().decode(errors="replace")
    try:
        return str(path), path.read_bytes().decode(errors="replace")
    except OSError as exc:
        raise click.UsageError(f"{path}: cannot be read: {exc.strerror}") from None

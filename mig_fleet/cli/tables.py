"""Tables that show every cell in full: folded on a terminal, on one line in a pipe or a file."""

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

_ANY_WIDTH = 10_000


def plain_console() -> Console:
    """Prints every text as it is: one of a node may have brackets or colons, which are markup and emoji to `rich`."""
    return Console(highlight=False, markup=False, emoji=False)


def ruled(*headings: str, title: str | None = None) -> Table:
    """A table with a line under its headings."""
    return _folding(Table(box=box.SIMPLE_HEAD, title=title, title_justify="left"), headings)


def bare(*headings: str) -> Table:
    """A table without lines, as ``kubectl get`` prints it."""
    return _folding(Table(box=None, header_style="bold", pad_edge=False), headings)


def show(table: Table, console: Console) -> None:
    """Prints a table, as wide as the terminal; in a pipe or a file as wide as its content."""
    if not console.is_terminal:
        options = console.options.update(max_width=_ANY_WIDTH)
        console.width = max(console.width, Measurement.get(console, options, table).maximum)
    console.print(table)


def _folding(table: Table, headings: tuple[str, ...]) -> Table:
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table

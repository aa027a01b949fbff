"""Writes the generated pages of docs/reference: ``make reference-pages``."""

from pathlib import Path

from tools.reference_pages import components, drift, errors, labels, outputs
from tools.reference_pages.source import ROOT

FOLDER = ROOT / "docs" / "reference"
MARK = "<!-- Below: written by `make reference-pages`. -->\n"


def pages() -> dict[Path, str]:
    """File → its text. The same code gives the same texts."""
    makers = {"components": components, "drift": drift, "errors": errors, "labels": labels, "outputs": outputs}
    return {
        FOLDER / f"{name}.md": _head(FOLDER / f"{name}.md") + maker.page().rstrip() + "\n"
        for name, maker in makers.items()
    }


def _head(path: Path) -> str:
    """What is written by hand."""
    head, mark, _ = path.read_text("utf-8").partition(MARK)
    return head + (mark or f"\n{MARK}")


def main() -> None:
    for path, text in pages().items():
        path.write_text(text, "utf-8")
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()

"""The page in a real browser: light, dark, without colours, narrow, by keyboard and for a screen reader."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mig_fleet.review.html import to_html
from tests.review import browser
from tests.review.browser import Page
from tests.review.reviews import a_review, spoiled

pytestmark = pytest.mark.slow

SCHEMES = ("light", "dark")
CONTRAST = Path(__file__).with_name("contrast.js").read_text()
HOSTILE = "\"'><script>document.title = 'run'</script><img src=x onerror=alert(1)></style></svg>&lt;b&gt;"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    path = browser.find()
    if not (path and shutil.which(path)):
        if browser.VARIABLE in os.environ:
            pytest.fail(f"{browser.VARIABLE} is {path!r}, which is no program; run: {browser.INSTALL}")
        pytest.skip(f"no browser; run: {browser.INSTALL}")
    with browser.opened(path, tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    written = tmp_path_factory.mktemp("page") / "review.html"
    written.write_text(to_html([a_review(), a_review(stack="dev")]))
    return written


def test_nothing_is_loaded_and_the_security_policy_blocks_nothing_of_ours(page: Page, file: Path) -> None:
    page.show(file)
    loaded = [event["request"]["url"] for method, event in page.events if method == "Network.requestWillBeSent"]
    assert loaded == [file.as_uri()]
    assert [event for method, event in page.events if method == "Log.entryAdded"] == []
    assert page.run("document.styleSheets[0].cssRules.length") > 20, "the style sheet is applied"


def test_the_security_policy_stops_a_script_and_a_style_that_are_added(page: Page, file: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed.html"
    added = "<script>document.title = 'run'</script><style>body {display: none}</style><img src='x.png'>"
    changed.write_text(file.read_text().replace("<main>", f"<main>{added}"))
    page.show(changed)
    assert page.run("document.title") != "run"
    assert page.run("getComputedStyle(document.body).display") == "block"
    failed = [event.get("blockedReason") for method, event in page.events if method == "Network.loadingFailed"]
    assert failed == ["csp"], "the image is not requested"


def test_hostile_names_are_shown_and_are_no_elements(page: Page, tmp_path: Path) -> None:
    elements = "[...document.querySelectorAll('*')].map(e => e.tagName + ' ' + e.getAttributeNames()).join('\\n')"
    found = []
    for name in ("a name", HOSTILE):
        written = tmp_path / "names.html"
        written.write_text(to_html([spoiled(a_review(), name)]))
        page.show(written)
        found.append(page.run(elements))
    assert found[0] == found[1]
    assert HOSTILE in page.run("document.querySelector('.verdict').textContent")
    assert page.run("document.title") != "run"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_word_has_enough_contrast(page: Page, file: Path, scheme: str) -> None:
    page.show(file, prefers_color_scheme=scheme)
    found = json.loads(page.run(CONTRAST))
    assert len(found) > 100
    assert {words: ratio for words, ratio in found if ratio < 4.5} == {}


def test_the_schemes_differ_and_a_picture_of_each_is_not_empty(page: Page, file: Path, tmp_path: Path) -> None:
    pictures = []
    for scheme in SCHEMES:
        page.show(file, prefers_color_scheme=scheme)
        pictures.append(page.picture(tmp_path / f"{scheme}.png"))
    assert all(len(picture) > 50_000 for picture in pictures)
    assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(15, 20, 25)", "the last one is dark"


def test_without_colours_the_borders_distinguish_what_happens_to_a_slice(page: Page, file: Path) -> None:
    page.show(file, forced_colors="active")
    styles = page.run(
        "JSON.stringify(['gone', 'new', 'kept'].map(kind => {"
        " const style = getComputedStyle(document.querySelector('figure svg .' + kind));"
        " return [style.strokeWidth, style.strokeDasharray, style.stroke, style.fill]; }))"
    )
    gone, new, kept = json.loads(styles)
    assert gone[1] != "none"
    assert float(new[0][:-2]) >= 2 * float(kept[0][:-2])
    paper = page.run("getComputedStyle(document.body).backgroundColor")
    for _, _, border, fill in (gone, new, kept):
        assert fill == paper, "words have the colour that the user chose, so what is behind them must have it, too"
        assert border != fill


def test_a_narrow_screen_scrolls_a_table_and_not_the_page(page: Page, file: Path) -> None:
    page.show(file, width=360)
    assert page.run("document.documentElement.scrollWidth") <= 360
    assert page.run("[...document.querySelectorAll('.scroll')].some(box => box.scrollWidth > box.clientWidth)")


def test_the_keyboard_reaches_everything_in_the_order_of_the_page(page: Page, file: Path) -> None:
    page.show(file)
    wanted = "[...document.querySelectorAll('a, summary, [tabindex]')]"
    for number in range(page.run(f"{wanted}.length")):
        page.press("Tab")
        assert page.run(f"document.activeElement === {wanted}[{number}]"), f"stop {number + 1}"
        assert page.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_enter_folds_a_wave(page: Page, file: Path) -> None:
    page.show(file)
    page.run("document.querySelector('summary').focus()")
    page.press("Enter")
    assert page.run("document.querySelector('details').open") is False


def test_a_screen_reader_gets_each_picture_as_one_image_with_words(page: Page, file: Path) -> None:
    page.show(file)
    images = page.images()
    assert images["H100-80GB of 2 nodes before and after"].startswith("GPU 3, changed: 7x 1g.10gb → 3g.40gb")
    assert all(images.values())

"""The page: complete, safe with any name, and readable in both colour schemes, without colours and by keyboard."""

import base64
import hashlib
import re
from dataclasses import fields, is_dataclass, replace
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mig_fleet.review.html import to_html
from mig_fleet.review.html.page import style
from mig_fleet.review.review import AmountChange, Outcome, Pod, Review
from tests.review.recordings import names, recorded
from tests.review.reviews import a_review, a_wave, spoiled

HOSTILE = "\"'><script>alert(1)</script><!-- </style></svg></title> &lt;b&gt; ]]> <b"
PAGE = to_html([a_review()])


class Parsed(HTMLParser):
    """The elements of a page with their attributes, and its words."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_comment(self, data: str) -> None:
        self.elements.append(("comment", {"text": data}))

    def named(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag in tags]

    @property
    def shape(self) -> list[tuple[str, list[str]]]:
        return [(tag, list(attributes)) for tag, attributes in self.elements]

    @property
    def text(self) -> str:
        return "\n".join(self.words)


@given(st.text(min_size=1, max_size=40) | st.text("<>&\"'/=!- a\x00\n\ud800\u202e", min_size=1, max_size=40))
@example(HOSTILE)
@settings(max_examples=min(60, settings().max_examples))
def test_no_name_becomes_an_element_or_an_attribute(name: str) -> None:
    page = to_html([spoiled(a_review(), name)])
    assert Parsed(page).shape == Parsed(to_html([spoiled(a_review(), "x")])).shape
    assert page.encode("utf-8"), "it can be written to a file"


def test_a_hostile_name_is_shown_as_it_is() -> None:
    assert Parsed(to_html([spoiled(a_review(), HOSTILE)])).text.count(HOSTILE) > 50


def test_what_is_not_visible_is_shown_as_an_escape() -> None:
    text = Parsed(to_html([a_review(notes=("a\x1b[2K\u202eb\ud800",))])).text
    assert r"a\x1b[2K\u202eb\ud800" in text


SHOWN_OTHERWISE = {"gpu", "pack", "level", "on_user_pods", "on_stranded_pods", "on_failure", "on_delete", "capacity"}
"""Fields that choose words of the page, and the capacity of a wave, which is part of that of the stack."""


def texts(value: Any) -> list[str]:
    """Every text in a review that a reviewer must see, except those that its page has in other words."""
    if is_dataclass(value):
        return [
            text
            for each in fields(value)
            if each.name not in SHOWN_OTHERWISE
            for text in texts(getattr(value, each.name))
        ]
    if isinstance(value, tuple):
        return [text for item in value for text in texts(item)]
    return [value] if isinstance(value, str) and not isinstance(value, Outcome) else []


def empty_fields(value: Any) -> set[str]:
    """The fields of the dataclasses in a value that are empty in all of their instances."""
    full: dict[str, bool] = {}
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if is_dataclass(found):
            for each in fields(found):
                field = getattr(found, each.name)
                full.setdefault(f"{type(found).__name__}.{each.name}", False)
                full[f"{type(found).__name__}.{each.name}"] |= bool(field)
                waiting.append(field)
        elif isinstance(found, tuple):
            waiting += found
    return {name for name, is_full in full.items() if not is_full}


def test_the_review_of_these_tests_has_a_value_in_every_field() -> None:
    assert empty_fields(a_review()) == set(), "add it to tests/review/reviews.py"


def test_everything_that_a_review_has_is_on_the_page() -> None:
    review = a_review()
    text = " ".join(Parsed(PAGE).text.split())
    missing = [line for line in texts(replace(review, project="", stack="")) if line[1:] not in text]
    assert missing == []
    for shown in (
        "fleet/prod",
        "H100-80GB",
        "is evicted",
        "stays pending",
        "112",
        "158",
        "+46",
        "$60.00",
        "$66.40",
        "About 8 min, at most 2 h",
        "onDelete is disable",
        "waits for a later update",
        "the cluster was not read",
    ):
        assert shown in text


def test_the_verdict_comes_first_and_denials_before_warnings() -> None:
    text = Parsed(PAGE).text
    order = [
        "Changes 3 nodes",
        "Why it is refused",
        "denied",
        "warned",
        "Nodes and GPUs",
        "lose their slices",
        "Capacity",
        "undo",
    ]
    assert [text.index(words) for words in order] == sorted(text.index(words) for words in order)


@pytest.mark.parametrize("outcome", Outcome)
def test_each_outcome_has_words_and_a_style(outcome: Outcome) -> None:
    (verdict,) = [
        each
        for each in Parsed(to_html([a_review(outcome=outcome)])).named("p")
        if "verdict" in (each.get("class") or "")
    ]
    assert verdict["class"] == f"verdict {outcome}"


def test_an_update_that_changes_nothing_has_a_verdict_and_no_more() -> None:
    nothing = Review("fleet", "prod", Outcome.NOTHING, "nothing to do", policies_known=True)
    assert len(Parsed(to_html([nothing])).named("h3", "table", "details")) == 0


def test_a_price_that_is_missing_has_its_reason() -> None:
    capacity = (AmountChange("a", 7, 7), AmountChange("b", 0, 2), AmountChange("c", 0, 2))
    prices = {"a": (0.357, None), "b": (None, 1.167), "c": (None, None)}
    words = Parsed(to_html([a_review(capacity=capacity, cost_slices=prices)])).words
    rows = {words[place]: words[place + 1 : place + 3] for place, word in enumerate(words) if "one slice of" in word}
    assert rows == {"one slice of a": ["$0.357", "differs or unknown"], "one slice of b": ["none", "$1.167"]}


def test_it_is_not_hidden_that_policies_were_not_read() -> None:
    assert "Policies: not known" in to_html([a_review(policies=(), policies_known=False)])
    assert "Policies: none is violated" in to_html([a_review(policies=(), policies_known=True)])


def test_several_stacks_begin_with_a_verdict_of_each() -> None:
    page = Parsed(to_html([a_review(), a_review(stack="dev", verdict="Nothing to do")]))
    links = [each["href"] for each in page.named("a")]
    assert links == ["#stack-1", "#stack-2"]
    assert {each["id"] for each in page.named("section")} == {"stack-1", "stack-2"}
    assert page.text.index("Nothing to do") < page.text.index("Why it is refused")


@pytest.mark.parametrize(
    ("pod", "shown"),
    [
        (Pod("a/b", "Job c", "node-1", "node-1: a/b (Job c) holds 2 slices"), "holds 2 slices"),
        (Pod("a/b", "", "", "a/b (no owner) requests 2 slices"), "requests 2 slices"),
        (Pod("a/b", "", "node-1", "another sentence about a/b"), "another sentence about a/b"),
    ],
)
def test_a_sentence_about_a_pod_does_not_repeat_the_cells_before_it(pod: Pod, shown: str) -> None:
    page = Parsed(to_html([a_review(waves=(a_wave(pods=(pod,), stranded=(pod,)),))]))
    assert page.words.count(shown) == 2


def test_nodes_that_change_alike_are_drawn_once() -> None:
    alike = [
        a_wave(name=f"inference-{number}", changes=(replace(change, nodes=(f"node-{number}",)),), missing=(), drift=())
        for number in range(200)
        for change in a_wave().changes
    ]
    page = Parsed(to_html([a_review(waves=tuple(alike))]))
    assert len(page.named("figure")) == 1
    assert "The names of all 200 nodes" in page.text
    assert all(f"node-{number}" in page.words for number in range(200))


def test_a_new_wave_is_drawn_as_declared_if_its_nodes_are_not_known() -> None:
    page = Parsed(to_html([a_review(waves=(a_wave(is_new=True, changes=()),))]))
    assert len(page.named("figure")) == 1
    assert "GPU 0-2, 4-7, changed: unknown → 7x 1g.10gb" in page.text


@pytest.mark.parametrize("name", names())
def test_the_page_of_a_recorded_preview_has_its_verdict_refusals_and_pods(name: str) -> None:
    review = recorded(name)
    page = to_html([review])
    text = Parsed(page).text
    pods = [pod.name for wave in review.waves for pod in (*wave.pods, *wave.stranded)]
    assert [words for words in (review.verdict[1:], *review.refusals, *pods) if words not in text] == []
    assert len(page) < 50_000, "two hundred nodes fit"


def test_the_same_reviews_give_the_same_page() -> None:
    assert to_html([a_review()]) == PAGE


def test_the_page_needs_nothing_from_elsewhere() -> None:
    page, css = Parsed(PAGE), style("theme", "picture", "page")
    assert not page.named("script", "link", "img", "iframe", "object", "base", "form")
    assert not [
        name for _, attributes in page.elements for name in attributes if name == "style" or name.startswith("on")
    ]
    assert not re.search(r"url\(|@import|@font-face", css)


def test_the_security_policy_allows_only_the_style_of_the_page() -> None:
    (meta,) = [each for each in Parsed(PAGE).named("meta") if each.get("http-equiv") == "Content-Security-Policy"]
    css = re.search(r"<style>(.*?)</style>", PAGE, re.DOTALL)
    assert css
    digest = base64.b64encode(hashlib.sha256(css[1].encode()).digest()).decode()
    assert meta["content"] == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_headings_are_in_order_and_the_language_is_known() -> None:
    page = Parsed(to_html([a_review(), a_review(stack="dev")]))
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert page.named("html") == [{"lang": "en"}]


def test_the_keyboard_follows_the_order_of_the_page() -> None:
    page = Parsed(PAGE)
    assert {each["tabindex"] for _, each in page.elements if "tabindex" in each} == {"0"}
    assert all(
        each.get("role") == "region" and each.get("aria-label") for _, each in page.elements if "tabindex" in each
    )


def test_every_picture_has_a_title_and_a_description_or_is_decoration() -> None:
    page = Parsed(PAGE)
    pictures = [number for number, (tag, _) in enumerate(page.elements) if tag == "svg"]
    assert len(pictures) == 2 + 3, "two pools, and three kinds of boxes in the legend"
    for number in pictures:
        _, attributes = page.elements[number]
        following = [tag for tag, _ in page.elements[number + 1 : number + 3]]
        assert attributes.get("aria-hidden") == "true" or (
            attributes["role"] == "img" and following == ["title", "desc"]
        )


def luminance(colour: str) -> float:
    shares = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_colour_has_enough_contrast(scheme: int) -> None:
    """The ratios of WCAG 2: 4.5 for words, 3 for borders."""
    colours = dict(re.findall(r"--(\w+): (#\w{6});", style("theme").split("@media")[scheme]))
    for words in ("ink", "quiet", "link", "bad", "busy", "good"):
        for behind in ("paper", "panel"):
            assert contrast(colours[words], colours[behind]) >= 4.5, (words, behind)
    for behind in ("gone", "new", "kept"):
        assert contrast(colours["ink"], colours[behind]) >= 4.5, behind
    for border, behind in (("bad", "gone"), ("good", "new"), ("line", "kept"), ("line", "paper")):
        assert contrast(colours[border], colours[behind]) >= 3, (border, behind)

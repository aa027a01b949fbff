"""A review as a comment of a pull request: Markdown of GitHub and GitLab, at most :data:`LIMIT` characters.

What does not fit folds, then becomes counts: never the verdict, the denials, and the disturbed pods, until even these
are thousands.
"""

from collections.abc import Sequence
from urllib.parse import quote

from mig_fleet.review.markdown_parts import Detail, parts
from mig_fleet.review.markdown_text import sentence
from mig_fleet.review.review import Outcome, Review

LIMIT = 65_536
"""Characters of a comment of GitHub; GitLab allows a million."""
MARKER = "<!-- mig-fleet review"
"""How a comment is found again; the stacks follow."""
_SHORTENED = "\n\nThis review was shortened: see `mig-fleet review --format text`.\n"


def to_markdown(reviews: Sequence[Review], limit: int = LIMIT) -> str:
    """All reviews in one comment. The first line is the verdict, of the worst one if there are several."""
    for detail in Detail:
        text = _text(reviews, detail)
        if len(text) <= limit:
            return text
    return text[: limit - len(_SHORTENED)].rpartition("\n")[0] + _SHORTENED


def marker(reviews: Sequence[Review]) -> str:
    """An invisible line. Names are encoded, so that none ends it."""
    names = (quote(review.name, safe="/.").replace("--", "%2D%2D") for review in reviews)
    return f"{MARKER}: {' '.join(names)} -->"


def _text(reviews: Sequence[Review], detail: Detail) -> str:
    worst_first = sorted(reviews, key=lambda review: [*Outcome].index(review.outcome))
    verdicts = [f"{sentence(review.name, 200)} {sentence(review.verdict)}" for review in worst_first]
    if len(reviews) == 1:
        return "\n\n".join([f"### {verdicts[0]}", marker(reviews), *parts(reviews[0], detail)]) + "\n"
    found = [(review, parts(review, detail)) for review in worst_first]
    bodies = ["\n\n".join([f"## {sentence(review.name, 200)}", *shown]) for review, shown in found if shown]
    head = "\n".join(f"- {verdict}" for verdict in verdicts)
    return "\n\n".join([head, marker(reviews), *bodies]) + "\n"

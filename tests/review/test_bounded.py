"""A comment has at most 65,536 characters, and never loses the verdict, the denials or the disturbed pods."""

from dataclasses import replace

import pytest

from mig_fleet.review.markdown import LIMIT, MARKER, to_markdown
from mig_fleet.review.review import Outcome, Pod, Review
from tests.review.recordings import recorded
from tests.review.reviews import a_review, a_wave

VERDICT = "changes 12 nodes in 4 waves, evicts 9 pods, strands none"


def many(pods: int, waves: int = 1) -> Review:
    """Waves with pods of 40 owners, with names as long as real ones."""
    found = [
        Pod(f"team-{n % 40}/inference-server-{n}-7d4b9c6f5-x2x7k", f"Deployment server-{n % 40}", f"node-{n}", "")
        for n in range(pods)
    ]
    share = -(-pods // waves)
    parts = [tuple(found[n * share : (n + 1) * share]) for n in range(waves)]
    each = [a_wave(name=f"inference-{n}", pods=part, stranded=(), more_stranded=0) for n, part in enumerate(parts)]
    return a_review(verdict=VERDICT, outcome=Outcome.CHANGES, waves=tuple(each), refusals=())


@pytest.mark.parametrize("pods", [0, 40, 200, 1000])
def test_every_disturbed_pod_is_named(pods: int) -> None:
    review = many(pods, waves=4)
    text = to_markdown([review])
    assert len(text) <= LIMIT and VERDICT in text and MARKER in text
    assert not [pod.name for wave in review.waves for pod in wave.pods if f"`{pod.name}`" not in text]


def test_thousands_of_pods_are_counted_by_their_owner() -> None:
    review = many(20_000, waves=200)
    text = to_markdown([review])
    assert len(text) <= LIMIT and VERDICT in text
    assert "`Deployment server-7`: 500" in text


def test_a_denial_survives_whatever_else_is_left_out() -> None:
    denial = replace(a_review().policies[0], level="mandatory", policy="mig-budget-kept")
    text = to_markdown([replace(many(20_000, waves=200), policies=(denial,))])
    assert "`mig-budget-kept`" in text and len(text) <= LIMIT


def test_a_smaller_limit_folds_before_it_counts() -> None:
    review = recorded("many-nodes")
    everything = to_markdown([review])
    folded = to_markdown([review], len(everything) - 1)
    counted = to_markdown([review], len(folded) - 1)
    assert len(everything) > len(folded) > len(counted)
    for text in (everything, folded, counted):
        assert review.verdict in text
        assert all(f"`{pod.name}`" in text for wave in review.waves for pod in wave.pods)


def test_many_stacks_fit_in_one_comment_with_the_worst_verdict_first() -> None:
    quiet = [a_review(stack=f"s{n}", outcome=Outcome.NOTHING, verdict="changes nothing") for n in range(30)]
    refused = a_review(stack="last", outcome=Outcome.REFUSED, verdict="will be refused: node a is in use")
    text = to_markdown([*quiet, *[many(100)] * 20, refused])
    assert len(text) <= LIMIT
    assert "/last will be refused: node a is in use" in text.splitlines()[0]

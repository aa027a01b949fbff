"""The known word that is nearest to an unknown one: the "did you mean" of every message."""

from collections.abc import Iterable
from difflib import get_close_matches

_LEAST_RATIO = 0.6
"""Below this similarity (``difflib.SequenceMatcher.ratio``, 0 to 1) a suggestion would only confuse."""


def nearest_word(word: str, known: Iterable[str]) -> str | None:
    """The known word with the most similar spelling, upper and lower case being equal; None if none is similar.

    >>> nearest_word("H100-80gb", ["A100-80GB", "H100-80GB"])
    'H100-80GB'
    """
    words: dict[str, str] = {}
    for candidate in known:
        words.setdefault(candidate.casefold(), candidate)
    near = get_close_matches(word.casefold(), words, n=1, cutoff=_LEAST_RATIO)
    return words[near[0]] if near else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a sentence, ``; did you mean '1g.10gb'?``; empty if no known word is similar."""
    near = nearest_word(word, known)
    return f"; did you mean {near!r}?" if near else ""


def suggestion_or_known(word: str, known: Iterable[str]) -> str:
    """``did you mean 'layout'?``, or the list of known words if none is similar."""
    choices = sorted(known)
    near = nearest_word(word, choices)
    return f"did you mean '{near}'?" if near else f"known: {', '.join(choices) or 'none'}"

"""What a kubeconfig gives to its exec plugin, and no message may repeat.

A secret may have any name (``AUTH``, ``-p``) and any place, such as a shell script. So every value is one, except words
that are certainly none: options, and subcommands such as ``get-token``.
"""

import re
import shlex
from collections.abc import Iterable, Iterator

_OPTION = re.compile(r"--?[a-zA-Z][\w-]*")
_PLAIN_WORD = re.compile(r"[a-z][a-z-]{0,15}")
"""A subcommand, or a word of the text in a script."""
_SEPARATORS = re.compile(r"[\s=:,@'\"]+")
_HARMLESS = frozenset({"true", "false", "none", "null", "http", "https"})


def plugin_secrets(arguments: Iterable[str], variables: Iterable[str]) -> set[str]:
    """The values of ``arguments`` and of environment ``variables``, and their parts, which a plugin may print alone.

    >>> sorted(plugin_secrets(["get-token", "-p", "user:pw"], ["1234\\n"]))
    ['1234', '1234\\n', 'pw', 'user', 'user:pw']
    """
    found = {part for each in variables for part in _parts(each)}
    return {*found, *_of_words(arguments)} - _HARMLESS - {""}


def _of_words(words: Iterable[str]) -> Iterator[str]:
    """A word with spaces is a script, or a value: its words are read in the same way."""
    is_value = False
    for word in words:
        name, equals, value = word.partition("=")
        is_option = bool(_OPTION.fullmatch(name))
        has_spaces = bool(re.search(r"\s", word.strip()))
        if re.match("-[a-zA-Z]", word):
            yield from _parts(word[2:])
        if is_option:
            yield from _parts(value)
        elif has_spaces:
            yield word.strip() if is_value else ""
            yield from _of_words(_shell_words(word))
        elif is_value or not _PLAIN_WORD.fullmatch(word):
            yield from _parts(word)
        is_value = is_option and not equals


def _parts(value: str) -> Iterator[str]:
    yield value
    yield value.strip()
    yield from _SEPARATORS.split(value)


def _shell_words(script: str) -> list[str]:
    lexer = shlex.shlex(script, posix=True, punctuation_chars=True)
    lexer.commenters = ""
    try:
        return list(lexer)
    except ValueError:  # a quote that is never closed
        return re.split(r"[\s;|&<>()'\"]+", script)

"""Text that is not ours: of nodes, reports, logs, API servers and other people's objects.

A terminal obeys it: ``\\x1b[2K`` erases a line of an error, a carriage return writes over it, a bidirectional override
reorders it, OSC 52 fills the clipboard. So each such text passes :func:`printable` where it enters.
"""

LIMIT = 200
"""Characters of a text that is shown within a sentence."""


def printable(text: object, limit: int = LIMIT) -> str:
    r"""The text on one line of at most ``limit`` characters: whatever is not visible is an escape as in Python, and
    ``…`` is at the end of what was shortened. A printable text is returned as it is, so a second call changes nothing.

    Not visible are Unicode's classes Cc, Cf, Cs, Co, Cn, Zl, Zp, and Zs except the space (``str.isprintable``).

    >>> printable("a\x1b[2K\nb"), printable("x" * 300, 3)
    ('a\\x1b[2K\\nb', 'xx…')
    """
    whole = str(text)
    if len(whole) <= limit and whole.isprintable():
        return whole
    # Escapes only lengthen a text, so what lies beyond the limit need not be read.
    pieces = [_escape(character) for character in whole[: limit + 1]]
    if len(shown := "".join(pieces)) <= limit:
        return shown
    while len(shown) >= limit:
        shown = shown[: -len(pieces.pop())]
    return f"{shown}…"


def _escape(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")

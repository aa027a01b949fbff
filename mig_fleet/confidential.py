"""Passwords, tokens and keys: no message, log, state or ConfigMap may have them."""

import base64
import binascii
import re
from collections.abc import Iterable

MASK = "***"
SHORTEST = 4
"""Characters of a secret that is searched in a text; a shorter one would mask parts of words."""

_USER_AND_PASSWORD = re.compile(
    r"([a-z][\w+.-]{0,20}://)[^\s'\"<>]{0,300}@|(?<![^\s'\"<>/=(])[^\s'\"<>/=(:]{1,100}:(?!//)[^\s'\"<>]{0,300}@(?!sha\d)",
    re.IGNORECASE,
)
"""``user:password@`` of an address, with or without a scheme; greedy, because a password may have an ``@`` or a ``/``
that is not escaped. ``image:tag@sha256:…`` is none. Bounded, because it also searches answers of servers."""
_TOKEN = re.compile(r"(?<=Bearer )[^\s'\",]+|\beyJ[\w-]{8,}(?:\.[\w-]*)*")
"""What follows ``Bearer`` in a header, and a JSON Web Token, which begins with ``{"`` in base64."""
_DIGEST = re.compile(r"@sha\d+:[0-9a-f]+$")
_CONTENTS = ("\n", "{", "apiVersion")
"""What a kubeconfig has, as YAML or as JSON on one line, and its path has not."""


def masked(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without the user and password of addresses, without tokens that have a known form, and without each of
    ``secrets``.

    >>> masked("https://me:pw@proxy:3128 refuses Bearer abc"), masked("key 4711", ["4711"])
    ('https://***@proxy:3128 refuses Bearer ***', 'key ***')
    """
    for secret in sorted((each for each in secrets if len(each) >= SHORTEST), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return _TOKEN.sub(MASK, _USER_AND_PASSWORD.sub(lambda found: f"{found[1] or ''}{MASK}@", text))


def masked_address(address: str) -> str:
    """The address without its user and password, whatever characters these have.

    >>> masked_address("https://me:p w@10.0.0.1:6443"), masked_address("https://10.0.0.1:6443")
    ('https://***@10.0.0.1:6443', 'https://10.0.0.1:6443')
    """
    before, at, host = address.rpartition("@")
    scheme, separator, _ = before.partition("://")
    return f"{scheme + separator if separator else ''}{MASK}@{host}" if at else address


def user_and_password(address: str | None) -> str:
    """``user:password`` of an address, not decoded; empty if it has none."""
    return (address or "").rpartition("@")[0].rpartition("://")[2]


def has_password(address: str) -> bool:
    """Whether an address has a user or a password, with or without a scheme. A digest and a folder with an ``@`` are
    none.

    >>> [has_password(each) for each in ("https://u:a/b@h/x", "u:pw@h/x", "oci://h/x@sha256:0a", "https://h/@me/x")]
    [True, True, False, False]
    """
    found = user_and_password(_DIGEST.sub("", address))
    return ":" in found or ("://" in address and "/" not in found and bool(found))


def is_contents(path: str) -> bool:
    """Whether a text that should be the path of a kubeconfig is its contents: YAML, JSON or base64 of one of them.

    >>> is_contents("~/.kube/config"), is_contents('{"users": []}'), is_contents("YXBpVmVyc2lvbjogdjEK")
    (False, True, True)
    """
    if any(sign in path for sign in _CONTENTS):
        return True
    try:
        decoded = base64.b64decode(path, validate=True)
    except (binascii.Error, ValueError):
        return False
    return any(sign.encode() in decoded for sign in ("apiVersion", "clusters", '"users"'))

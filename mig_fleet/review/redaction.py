"""What a review must not show: where the cluster is, and how to reach it. Comments of pull requests may be public."""

import re
from collections.abc import Iterable

from mig_fleet.confidential import masked
from mig_fleet.foreign_text import printable

ADDRESS, PATH = "<address>", "<path>"
LONGEST = 50_000
"""Characters of one sentence: one may list a thousand nodes."""

_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s'\"<>]+", re.IGNORECASE)
_HOST_AND_PORT = re.compile(r"(?<![\w.@-])(?:\[[0-9a-f:]+\]|[\w-]+(?:\.[\w-]+)+)(?::\d{2,5})\b", re.IGNORECASE)
_IP = re.compile(r"(?<![\w.-])\d{1,3}(?:\.\d{1,3}){3}(?![\w.-])")
_HOST_OPTION = re.compile(r"(\bhost=)'?[\w.:-]+'?")
_FOLDERS = re.compile(r"(?<![\w/.~>-])~?(?:/[\w.@+-]+){2,}/?")
_COLOUR = re.compile(r"<\{%.*?%\}>")


def shown(text: object, secrets: Iterable[str] = ()) -> str:
    """The text on one line, without addresses of servers, paths of files, tokens, and the ``secrets``.

    >>> shown("dial https://10.0.0.1:6443 with /home/me/.kube/config: refused")
    'dial <address> with <path>: refused'
    """
    # Pulumi marks colours as <{%fg 1%}>.
    found = _COLOUR.sub("", masked(str(text)))
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        found = found.replace(secret, PATH)
    found = _URL.sub(ADDRESS, found)
    found = _HOST_OPTION.sub(rf"\1{ADDRESS}", _HOST_AND_PORT.sub(ADDRESS, found))
    return printable(_FOLDERS.sub(PATH, _IP.sub(ADDRESS, found)).replace("\n", " ").strip(), LONGEST)

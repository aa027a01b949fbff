"""The address of a Prometheus, its token and its CA, checked before anything is sent."""

import ipaddress
import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from mig_fleet.confidential import masked_address

TOKEN_VARIABLE: Final = "MIG_FLEET_PROMETHEUS_TOKEN"
LARGEST_TOKEN: Final = 16_384
"""Bytes; no server accepts a longer header."""


class UnusableAccess(ValueError):
    """An address, token or CA that cannot be used; the message never has the token."""


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a Prometheus."""

    url: str
    """Without a slash at the end: ``https://prometheus.example.com/path``."""
    token: str | None = field(default=None, repr=False)
    ca: ssl.SSLContext | None = None
    """None for the certificate authorities of this machine."""


def access(url: str, token_file: Path | None, ca_file: Path | None) -> Access:
    """Reads the token from the file, else from the environment variable. Raises :class:`UnusableAccess`."""
    address = _address(url)
    token = _token(token_file)
    scheme, host = urlsplit(address).scheme, urlsplit(address).hostname or ""
    if token and scheme == "http" and not _is_this_machine(host):
        raise UnusableAccess(f"{address}: a token would be sent unencrypted; use https://, or `kubectl port-forward`")
    return Access(address, token, _ca(ca_file))


def _address(url: str) -> str:
    """The address without a slash at the end."""
    shown = masked_address(url)
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises ValueError
    except ValueError as error:
        raise UnusableAccess(f"{shown} is not a URL: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not url.isascii() or not url.isprintable():
        raise UnusableAccess(f"{shown} is not a URL such as https://prometheus.example.com")
    if "@" in parts.netloc:
        raise UnusableAccess(f"{shown} has a user or password; put a token into a file and use --token-file")
    if parts.query or parts.fragment:
        raise UnusableAccess(f"{shown} has a query or a fragment; write only what is before /api/v1/query")
    return url.rstrip("/")


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _token(path: Path | None) -> str | None:
    if path is None:
        source, text = f"${TOKEN_VARIABLE}", os.environ.get(TOKEN_VARIABLE, "")
        if not text:
            return None
    else:
        source = str(path)
        try:
            with path.open("rb") as file:
                text = file.read(LARGEST_TOKEN + 1).decode("ascii", "replace")
        except OSError as error:
            raise UnusableAccess(f"{source}: cannot be read: {error.strerror}") from None
    token = text.strip()
    if not token or len(token) > LARGEST_TOKEN or not (token.isascii() and token.isprintable() and " " not in token):
        raise UnusableAccess(f"{source} has no token: one word of ASCII characters, at most {LARGEST_TOKEN} bytes")
    return token


def _ca(path: Path | None) -> ssl.SSLContext | None:
    if path is None:
        return None
    try:
        return ssl.create_default_context(cafile=str(path))
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise UnusableAccess(f"{path}: is not a file of certificates in PEM form: {error}") from None

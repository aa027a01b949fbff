"""Why a kubeconfig could not be opened, or a request not sent: in words that hold no credentials.

Errors of libraries quote what they read: YAML its line, the client library a whole user, http.client a header, urllib3
an address with its password. So only texts that are known to be harmless are quoted; the others become sentences.
"""

import binascii
import re
from collections.abc import Iterable

from mig_fleet.confidential import masked
from mig_fleet.foreign_text import printable

_OBJECT = re.compile(r"^(?:<[^>]*>|\w+\([^()]*\)): ")
"""``HTTPSConnectionPool(host='…', port=443): `` at the start of an error of urllib3."""
_KEY = re.compile(r"Expected key ([\w-]+) in ")
_NAME = re.compile(r"Expected object with name (.*) in \S*?(\w+) list$", re.DOTALL)
"""Errors of the client library's ConfigNode (kubernetes 37, config/kube_config.py)."""


def kubeconfig_reason(exc: BaseException) -> str:
    """What is wrong with a kubeconfig that could not be read."""
    import yaml
    from kubernetes.config import ConfigException
    from oauthlib.oauth2 import OAuth2Error  # type: ignore[import-untyped]
    from requests import RequestException
    from urllib3.exceptions import DependencyWarning, HTTPError, LocationValueError

    if isinstance(exc, yaml.YAMLError):
        mark = getattr(exc, "problem_mark", None)
        return f"line {mark.line + 1} is not YAML" if mark else "it is not YAML"
    if isinstance(exc, binascii.Error):
        return "data of a certificate or a key is not base64"
    if isinstance(exc, UnicodeError):
        return "it has text that is not UTF-8"
    if isinstance(exc, ConfigException):
        if found := _KEY.search(str(exc)):
            return f"it has no key '{found[1]}' where one is needed"
        if found := _NAME.search(str(exc)):
            return f"its {found[2]} have none with the name '{printable(masked(found[1]))}'"
        return "it has not the form of a kubeconfig"
    if isinstance(exc, OAuth2Error):
        return "its user's token cannot be renewed: the issuer refuses it"
    if isinstance(exc, LocationValueError):
        return request_reason(exc)
    if isinstance(exc, HTTPError | RequestException):
        return f"its user's token cannot be renewed: {request_reason(exc)}"
    if isinstance(exc, OSError) and exc.strerror:
        return exc.strerror
    if isinstance(exc, ImportError | DependencyWarning):
        return "its SOCKS proxy needs the Python package pysocks; install it"
    return f"it has not the form of a kubeconfig ({type(exc).__name__})"


def request_reason(exc: BaseException, secrets: Iterable[str] = ()) -> str:
    """Why there was no answer: ``Read timed out. (read timeout=10)``, without the names of the client library's objects
    that it begins with.
    """
    from kubernetes.client import ApiException
    from urllib3.exceptions import HTTPError, LocationValueError
    from websocket import WebSocketException

    cause = _root_cause(exc)
    if isinstance(cause, LocationValueError):
        return "the address of the server or of its proxy is not a URL such as https://10.0.0.1:6443"
    if isinstance(cause, ApiException):
        return printable(masked(str(cause.reason), secrets))
    if isinstance(cause, HTTPError | OSError | WebSocketException):
        return printable(masked(_OBJECT.sub("", str(cause)), secrets))
    return f"the request cannot be sent ({type(cause).__name__})"


def _root_cause(exc: BaseException) -> BaseException:
    """The error inside errors: urllib3 keeps it as ``reason``, requests as its argument."""
    for inner in (getattr(exc, "reason", None), *exc.args[:1]):
        if isinstance(inner, BaseException):
            return _root_cause(inner)
    return exc

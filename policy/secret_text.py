"""Marks the texts that are secret in Pulumi: the SDK passes their plain values to a policy, whose messages are printed.

The SDK has no other way to distinguish them (pulumi-policy 1.20.0, deserialize.py).
"""

from typing import Any

from pulumi_policy import deserialize


class SecretText(str):
    """A text that no message may quote."""

    __slots__ = ()


def mark_secrets() -> None:
    """From now on the properties of resources have each secret text as :class:`SecretText`."""
    plain = deserialize._deserialize_property

    def marking(prop: Any, proxy_secrets: bool = False) -> Any:
        value = plain(prop, proxy_secrets)
        signature = prop.get(deserialize.SPECIAL_SIG_KEY) if isinstance(prop, dict) else None
        # With proxies the SDK keeps the mark itself, because it writes the properties again.
        return _marked(value) if signature == deserialize.SPECIAL_SECRET_SIG and not proxy_secrets else value

    deserialize._deserialize_property = marking


def _marked(value: Any) -> Any:
    if isinstance(value, str):
        return SecretText(value)
    if isinstance(value, dict):
        return {key: _marked(each) for key, each in value.items()}
    return [_marked(each) for each in value] if isinstance(value, list) else value

"""Kubernetes' quantities of countable things: the API server writes a thousand as ``1k``."""


def whole(text: str | int) -> int:
    """The number, rounded down; of something that is no quantity there is none.

    >>> whole("14"), whole("1k"), whole("many")
    (14, 1000, 0)
    """
    if str(text).isdecimal():
        return int(text)
    from kubernetes.utils.quantity import parse_quantity

    try:
        return int(parse_quantity(text))
    except ValueError:
        return 0

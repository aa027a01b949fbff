"""Kubernetes quantities of countable resources: the API server writes a thousand as ``1k``."""


def parse_count(text: str | int) -> int:
    """The number, rounded down; 0 for text that is not a quantity.

    >>> parse_count("14"), parse_count("1k"), parse_count("many")
    (14, 1000, 0)
    """
    if str(text).isdecimal():
        return int(text)
    from kubernetes.utils.quantity import parse_quantity

    try:
        return int(parse_quantity(text))
    except ValueError:
        return 0

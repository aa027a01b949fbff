"""Seconds as Prometheus and a stack file write them."""


def duration(seconds: int) -> str:
    """The largest unit that leaves a whole number.

    >>> duration(21600), duration(5400), duration(45)
    ('6h', '90m', '45s')
    """
    for unit, length in (("h", 3600), ("m", 60)):
        if seconds and seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"

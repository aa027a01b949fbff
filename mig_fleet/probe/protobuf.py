"""Reads the fields of a protobuf message. The full runtime is many times the size of the probe.

The encoding: https://protobuf.dev/programming-guides/encoding/.
"""

from collections.abc import Iterator

Value = int | bytes

VARINT, I64, LEN, I32 = 0, 1, 2, 5
FIXED_BYTES = {I64: 8, I32: 4}
MAX_VARINT_BYTES = 10


class InvalidMessage(Exception):
    """The bytes are not a protobuf message, or not the one that is expected."""


def fields(message: bytes) -> Iterator[tuple[int, Value]]:
    """Number and value of each field in order: a varint as a number, any other as its bytes. Raises InvalidMessage."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        number, wire_type = tag >> 3, tag & 7
        if not number:
            raise InvalidMessage("a field has the number 0")
        if wire_type == VARINT:
            value, position = _varint(message, position)
            yield number, value
            continue
        if wire_type == LEN:
            length, position = _varint(message, position)
        elif wire_type in FIXED_BYTES:
            length = FIXED_BYTES[wire_type]
        else:
            raise InvalidMessage(f"field {number} has the unknown wire type {wire_type}")
        if length > len(message) - position:
            raise InvalidMessage(f"field {number} is longer than its message")
        yield number, message[position : position + length]
        position += length


def messages(message: bytes, number: int) -> Iterator[bytes]:
    """The values of a repeated field that has messages or texts. Raises InvalidMessage."""
    for found, value in fields(message):
        if found == number:
            if isinstance(value, int):
                raise InvalidMessage(f"field {number} must not be a number")
            yield value


def texts(message: bytes, number: int) -> list[str]:
    """The values of a field of type string. Raises InvalidMessage."""
    try:
        return [value.decode() for value in messages(message, number)]
    except UnicodeDecodeError:
        raise InvalidMessage(f"field {number} is not UTF-8") from None


def text(message: bytes, number: int) -> str:
    """The value of a single field of type string, empty if it is absent. Raises InvalidMessage."""
    return (texts(message, number) or [""])[-1]


def _varint(message: bytes, position: int) -> tuple[int, int]:
    """The number at a position, and the position behind it."""
    number = 0
    for count, byte in enumerate(message[position : position + MAX_VARINT_BYTES]):
        number |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return number, position + count + 1
    raise InvalidMessage("a number does not end")

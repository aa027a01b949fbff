"""The inputs of a component, as a Python program would pass them.

The SDK's own reading makes an output of a whole section if one value in it is a secret, leaves out every key without a
value, and has floats for all numbers. In a chart's values a null removes a default, so it is kept here.
"""

import asyncio
from typing import Any, TypeVar

import pulumi
from google.protobuf.struct_pb2 import Struct, Value

from mig_fleet.components.serving.properties import KIND, OUTPUT, SECRET, UNKNOWN

T = TypeVar("T")


def component_inputs(sent: Struct) -> dict[str, Any]:
    """Plain values; a secret is an output at its own place, and so is a value that is not known yet.

    The SDKs of other languages send a value of another resource as an output, also when it is known: here it is plain.
    Deletions keep their order: the children of a component are deleted before it, and it before what its inputs are of.
    """
    return {key: _input(value) for key, value in sent.fields.items()}


def _input(value: Value) -> Any:
    match value.WhichOneof("kind"):
        case "struct_value":
            return _of_struct(value.struct_value)
        case "list_value":
            return [_input(each) for each in value.list_value.values]
        case "string_value":
            return _unknown(False) if value.string_value == UNKNOWN else value.string_value
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "bool_value":
            return value.bool_value
    return None


def _of_struct(struct: Struct) -> Any:
    kind = struct.fields[KIND].string_value if KIND in struct.fields else ""
    if kind not in (SECRET, OUTPUT):
        return {key: _input(value) for key, value in struct.fields.items()}
    is_secret = kind == SECRET or ("secret" in struct.fields and struct.fields["secret"].bool_value)
    if "value" not in struct.fields or struct.fields["value"].string_value == UNKNOWN:
        return _unknown(is_secret)
    inner = _input(struct.fields["value"])
    return pulumi.Output.secret(inner) if is_secret else inner


def _unknown(is_secret: bool) -> "pulumi.Output[Any]":
    resources: set[pulumi.Resource] = set()
    return pulumi.Output(_done(resources), _done(None), _done(False), _done(is_secret))


def _done(value: T) -> "asyncio.Future[T]":
    future: asyncio.Future[T] = asyncio.Future()
    future.set_result(value)
    return future

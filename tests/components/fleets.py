"""A program with a fleet, run with mocks of the engine; what it registers."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pulumi
from google.protobuf.struct_pb2 import ListValue, Struct, Value
from pulumi.runtime.mocks import MockMonitor

SECRET_SIGN = "4dabf18193072939515e22adb298388d"
"""The key of a value that is no plain one; pulumi sdk rpc.py, _special_sig_key."""

DENSE: dict[str, Any] = {"gpu": "H100-80GB", "all": {"1g.10gb": 7}}
TOKEN = "a-token-that-nothing-may-print"
CONTENTS = f"""\
apiVersion: v1
clusters: [{{name: made, cluster: {{server: "https://10.0.0.1:6443", certificate-authority-data: Y2E=}}}}]
contexts: [{{name: made, context: {{cluster: made, user: made}}}}]
current-context: made
users: [{{name: made, user: {{token: {TOKEN}}}}}]
"""


def a_fleet(**changes: Any) -> Any:
    """Two pools in snake_case."""
    pool = {"gpu": "H100-80GB", "gpus_per_node": 2, "layout": "dense"}
    args = {
        "cluster": {"context": "prod"},
        "operator": {"version": "v26.7.0"},
        "layouts": {"dense": DENSE},
        "pools": {"a": {**pool, "nodes": ["n1"]}, "b": {**pool, "nodes": ["n2"]}},
        "prices": {"H100-80GB": 2.0},
    }
    return {**args, **changes}


def a_selected_fleet(**changes: Any) -> Any:
    """One pool with a selector."""
    pool = {"gpu": "H100-80GB", "gpus_per_node": 2, "layout": "dense", "selector": {"match_labels": {"team": "a"}}}
    return a_fleet(pools={"a": pool}, **changes)


class Engine(MockMonitor):
    """Keeps the requests by URN."""

    def __init__(self) -> None:
        super().__init__(_Outputs())
        self.requests: dict[str, Any] = {}

    def RegisterResource(self, request: Any) -> Any:
        answer = super().RegisterResource(request)  # type: ignore[no-untyped-call]  # not annotated in the SDK
        if request.type != "pulumi:pulumi:Stack":
            self.requests[answer.urn] = request
        return answer

    @property
    def names(self) -> list[str]:
        return sorted(request.name for request in self.requests.values())

    def inputs(self, name: str) -> dict[str, Any]:
        """Plain values of the inputs, without what marks a secret."""
        (found,) = (each.object for each in self.requests.values() if each.name == name)
        return {key: pulumi.runtime.rpc.unwrap_rpc_secret(value) for key, value in _deserialized(found).items()}


class _Outputs(pulumi.runtime.Mocks):
    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[Any, Any]]:
        return f"{args.name}-id", {"owner": "an owner", "uid": "a uid", **args.inputs}

    def call(self, _args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        return {}, None


def _deserialized(found: Struct) -> dict[str, Any]:
    values: dict[str, Any] = pulumi.runtime.rpc.deserialize_properties(found, keep_unknowns=True)
    return values


@contextmanager
def event_loop() -> Iterator[None]:
    """The mocks need one."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.set_exception_handler(lambda *_: None)  # else it prints each failure that a test causes on purpose
    try:
        yield
    finally:
        # A program that fails leaves outputs behind.
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        asyncio.set_event_loop(None)
        loop.close()


def run(program: Callable[[], object], preview: bool = False) -> Engine:
    """Run a program to its end."""
    engine = Engine()
    pulumi.runtime.set_mocks(engine.mocks, preview=preview, monitor=engine)
    pulumi.runtime.test(lambda: program() and None)()  # type: ignore[no-untyped-call]  # not annotated in the SDK
    return engine


def plain_texts(value: Value | Struct | ListValue) -> Iterator[str]:
    """Every text that is not inside a secret."""
    if isinstance(value, Struct):
        if SECRET_SIGN not in value.fields:
            for each in value.fields.values():
                yield from plain_texts(each)
    elif isinstance(value, ListValue):
        for each in value.values:
            yield from plain_texts(each)
    elif value.HasField("struct_value"):
        yield from plain_texts(value.struct_value)
    elif value.HasField("list_value"):
        yield from plain_texts(value.list_value)
    else:
        yield value.string_value

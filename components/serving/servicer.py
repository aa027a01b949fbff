"""The plugin's side of the protocol between engine and provider: the SDK's for components, and ours for resources.

The SDK serves components only. A resource of one of them would be dynamic, and the engine starts a dynamic provider in
the environment of the program, which has none of our code (pulumi #5455). So this process serves the same provider
classes under types of its own. This module is the only one that knows the SDK's servicer.
"""

# ruff: noqa: ARG002, ARG004 (the protocol defines names and arguments)

import asyncio
import contextvars
import functools
import gc
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import grpc
import pulumi
from google.protobuf import empty_pb2
from google.protobuf.struct_pb2 import Struct
from pulumi.provider.server import ComponentInitError, ProviderServicer
from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2

from mig_fleet.components import resource
from mig_fleet.components.connection_identity import newest
from mig_fleet.components.detailed_diff import with_paths
from mig_fleet.components.provider import OBJECTS_BETWEEN_COLLECTIONS, Provider
from mig_fleet.components.serving import engine_log
from mig_fleet.components.serving.components import Components
from mig_fleet.components.serving.inputs import component_inputs
from mig_fleet.components.serving.properties import Properties, write
from mig_fleet.components.serving.resources import UnknownResource, provider_of
from mig_fleet.confidential import masked
from mig_fleet.failures import ExpectedFailure
from mig_fleet.rollout.engine_run import interrupt

Result = TypeVar("Result")

THREADS: Final = 32
"""Calls that wait for nodes at the same time. A wave waits for minutes, and the checks of other resources do not."""
FRAMES: Final = 30
"""Of the traceback of an error that is a bug of ours."""
CANNOT_IMPORT: Final = (
    "cannot be imported, and need not be: an update of nodes that have the declared slices already changes nothing on "
    "them; docs/how-to/adopt.md describes it"
)


class Servicer(ProviderServicer):
    """Components are constructed by the SDK; each other call is that of a provider, in a thread."""

    provider: Components

    def __init__(self, components: Components, engine_address: str, engine: engine_pb2_grpc.EngineStub) -> None:
        super().__init__(components, [], engine_address)
        self._engine = engine
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="provider")

    async def Configure(self, request: Any, context: Any) -> provider_pb2.ConfigureResponse:
        """Called once. The urn and the id are this provider's own in the state; in a preview the id may be unknown."""
        resource.serve_as(request.urn, request.id)
        gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
        return provider_pb2.ConfigureResponse(acceptSecrets=True, acceptResources=True, acceptOutputs=True)

    async def Cancel(self, request: Any, context: Any) -> empty_pb2.Empty:
        """Called after the first Ctrl-C, and before the engine ends."""
        interrupt()
        return empty_pb2.Empty()

    async def _construct(self, request: Any, context: Any) -> Any:
        """The SDK's, with our text for a mistake in the program, and no traceback.

        All of it is one message: of a property that an error names, the engine prints the value.
        """
        try:
            return await super()._construct(request, context)
        except Exception as failure:
            cause = failure.inner if isinstance(failure, ComponentInitError) else failure
            if is_of_user(cause):
                raise pulumi.InputPropertiesError(str(cause), []) from None
            if is_end_of_engine(cause):
                await context.abort(grpc.StatusCode.UNKNOWN, f"{request.name}: a resource of this component failed")
            raise

    @staticmethod
    async def _construct_inputs(inputs: Any, input_dependencies: Any) -> dict[str, Any]:
        return component_inputs(inputs)

    async def Check(self, request: Any, context: Any) -> provider_pb2.CheckResponse:
        olds, news = Properties.read(request.olds), Properties.read(request.news)
        found = await self._act(context, request.urn, [olds, news], lambda it: it.check(olds.values, news.values))
        failures = [provider_pb2.CheckFailure(property=each.property, reason=each.reason) for each in found.failures]
        inputs = write(found.inputs, olds.secrets | news.secrets)
        return provider_pb2.CheckResponse(inputs=inputs, failures=failures)

    async def Diff(self, request: Any, context: Any) -> provider_pb2.DiffResponse:
        olds, news = Properties.read(request.olds), Properties.read(request.news)
        found = await self._act(
            context, request.urn, [olds, news], lambda it: it.diff(request.id, olds.values, news.values)
        )
        changes = provider_pb2.DiffResponse.DIFF_SOME if found.changes else provider_pb2.DiffResponse.DIFF_NONE
        return with_paths(provider_pb2.DiffResponse(changes=changes, replaces=found.replaces or []), request)

    async def Create(self, request: Any, context: Any) -> provider_pb2.CreateResponse:
        news = Properties.read(request.properties)
        done = await self._act(context, request.urn, [news], lambda it: it.create(news.values))
        return provider_pb2.CreateResponse(id=done.id, properties=write(done.outs or {}, news.secrets))

    async def Update(self, request: Any, context: Any) -> provider_pb2.UpdateResponse:
        olds, news = Properties.read(request.olds), Properties.read(request.news)
        done = await self._act(
            context, request.urn, [olds, news], lambda it: it.update(request.id, olds.values, news.values)
        )
        return provider_pb2.UpdateResponse(properties=write(done.outs or {}, olds.secrets | news.secrets))

    async def Read(self, request: Any, context: Any) -> provider_pb2.ReadResponse:
        """Called in a refresh, and by `pulumi import`, which has no properties."""
        state = _with_newest_cluster(request.properties, request.inputs)
        if not state.values:
            await context.abort(grpc.StatusCode.UNKNOWN, f"{request.urn.rpartition('::')[2]} {CANNOT_IMPORT}")
        found = await self._act(context, request.urn, [state], lambda it: it.read(request.id, state.values))
        properties = write(found.outs or {}, state.secrets)
        return provider_pb2.ReadResponse(id=found.id or "", properties=properties, inputs=request.inputs)

    async def Delete(self, request: Any, context: Any) -> empty_pb2.Empty:
        state = _with_newest_cluster(request.properties, request.old_inputs)
        await self._act(context, request.urn, [state], lambda it: it.delete(request.id, state.values))
        return empty_pb2.Empty()

    async def _act(
        self, context: Any, urn: str, given: Iterable[Properties], call: Callable[[Provider], Result]
    ) -> Result:
        """What a provider returns. The engine gets our text for an expected failure, and a traceback for a bug."""
        engine_log.about(self._engine, urn)
        run = functools.partial(contextvars.copy_context().run, lambda: call(provider_of(urn)))
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, run)
        except (ExpectedFailure, UnknownResource) as failure:
            text = str(failure)
        except Exception as failure:
            # `one_clean_error` limits the tracebacks of this process to none.
            text = "".join(traceback.format_exception(failure, limit=FRAMES))
        secrets = [secret for each in given for secret in each.secret_texts()]
        await context.abort(grpc.StatusCode.UNKNOWN, masked(text, secrets))
        raise AssertionError("abort raises")


def _with_newest_cluster(outputs: Struct, inputs: Struct) -> Properties:
    """The outputs, which are those of the last update, with the credentials of the inputs, which are those of the last
    run; see :func:`~mig_fleet.components.connection_identity.newest`.
    """
    state, run = Properties.read(outputs), Properties.read(inputs)
    if not state.values:
        return state
    of_cluster = {path for path in run.secrets if path[0] == "cluster"}
    return Properties(newest(state.values, run.values), state.secrets | of_cluster)


def is_of_user(failure: BaseException) -> bool:
    """Whether a failure is one that we raise on purpose, with all that a user needs in its message."""
    return isinstance(failure, ExpectedFailure | pulumi.RunError) or type(failure).__module__.startswith("mig_fleet.")


def is_end_of_engine(failure: BaseException) -> bool:
    """Whether the engine refused a registration because it ends, and not because of what was registered."""
    codes = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
    found: BaseException | None = failure
    while found is not None:
        if isinstance(found, grpc.Call) and found.code() in codes:
            return True
        if "resource monitor shut down" in str(found):
            return True
        found = found.__cause__ or found.__context__
    return False

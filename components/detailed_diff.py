"""What a preview prints of an update: only what differs, and what is observed or planned now.

A dynamic provider cannot say which properties differ: the SDK's servicer answers `Diff` with yes or no
(pulumi/dynamic/__main__.py). The engine then compares all inputs itself, and prints those that are equal, too, and
as removed what `check` added for the previous update. With a detailed diff it prints the paths in it and no others
(pulumi v3.259.0 pkg/backend/display/diff.go renderDiff, pkg/engine/detailedDiff.go).

As for `Cancel` (:mod:`mig_fleet.components.cancellation`), `Diff` gets threads of its own, which add the paths to the
servicer's answer. Where the SDK or gRPC has no such name any more, previews are longer, and nothing else changes.
"""

import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Final

from google.protobuf.struct_pb2 import Struct, Value
from pulumi.runtime.proto.provider_pb2 import DiffRequest, DiffResponse, PropertyDiff

from mig_fleet.components.cancellation import SERVICER
from mig_fleet.model.wave_nodes import LISTED, NODE_NAMES, from_text
from mig_fleet.rollout.wave import OF_ONE_UPDATE, PREVIEW_ONLY

Kind = PropertyDiff.Kind

SUMMARIZED: Final = {"file", "carried", "objects", "chartObjects"}
"""Long texts that are not printed if one of :data:`SUMMARIES` has a line for each of their changes."""
SUMMARIES: Final = {"plannedChanges", "prunedConfigs"}
FOR_POLICIES: Final = {"impact"}
"""Numbers of what other properties have as lines."""
THREADS: Final = 4
"""As many as the SDK has for all calls."""


def add_detailed_diffs() -> None:
    """Let previews print what differs; can be repeated, and does nothing outside a provider's process."""
    diff = getattr(getattr(sys.modules["__main__"], SERVICER, None), "Diff", None)
    if diff is not None and not hasattr(diff, "experimental_thread_pool"):
        diff.experimental_thread_pool = _DiffThreads(diff)


def detailed_diff(old: Struct, new: Struct) -> "dict[str, Kind.ValueType]":
    """Path → kind, of the inputs that differ.

    What `check` adds for one preview or update is an addition, whether or not the last update had it, and no removal.
    """
    before, after = old.fields, new.fields
    renamed = {NODE_NAMES, LISTED} if _has_equal_names(before, after) else set()
    found: dict[str, Kind.ValueType] = {}
    for key in sorted({*before, *after}):
        if key.startswith("__") or key in FOR_POLICIES or key in renamed:
            continue
        if key in (*PREVIEW_ONLY, *OF_ONE_UPDATE):
            if key in after:
                found[key] = PropertyDiff.ADD
        elif key not in before:
            found[key] = PropertyDiff.ADD
        elif key not in after:
            found[key] = PropertyDiff.DELETE
        elif before[key] != after[key] and not (key in SUMMARIZED and not SUMMARIES.isdisjoint(after)):
            found[_path(key, before[key], after[key])] = PropertyDiff.UPDATE
    return found


def _has_equal_names(before: Mapping[str, Value], after: Mapping[str, Value]) -> bool:
    """Whether the nodes are those of a state of an earlier release, which has them under another key."""
    if LISTED not in before or NODE_NAMES not in after:
        return False
    return [each.string_value for each in before[LISTED].list_value.values] == [
        *from_text(after[NODE_NAMES].string_value)
    ]


def _path(key: str, before: Value, after: Value) -> str:
    """The config name stands for all that is expected, because it has a hash of the layout."""
    if key != "expected":
        return key
    old, new = (each.struct_value.fields["config"].string_value for each in (before, after))
    return "expected.config" if old != new else key


class _DiffThreads(ThreadPoolExecutor):
    """Serves `Diff`: the servicer's method, and then :func:`_answer`."""

    def __init__(self, method: Callable[..., Any]) -> None:
        super().__init__(max_workers=THREADS)
        self.method = method

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """gRPC passes the bound method as one of the arguments."""
        ours = (partial(_answer, each) if getattr(each, "__func__", None) is self.method else each for each in args)
        return super().submit(fn, *ours, **kwargs)


def _answer(diff: Callable[..., DiffResponse], request: DiffRequest, context: object) -> DiffResponse:
    return with_paths(diff(request, context), request)


def with_paths(response: DiffResponse, request: DiffRequest) -> DiffResponse:
    """An answer to `Diff` with the paths that differ, and their kinds.

    A refresh passes the same inputs twice, and compares outputs: its answer stays as it is.
    """
    if response.changes != DiffResponse.DIFF_SOME or request.old_inputs == request.news:
        return response
    if not request.HasField("old_inputs"):
        return response
    for path, kind in detailed_diff(request.old_inputs, request.news).items():
        replaces = path in response.replaces and kind == PropertyDiff.UPDATE
        response.detailedDiff[path].kind = PropertyDiff.UPDATE_REPLACE if replaces else kind
        response.detailedDiff[path].inputDiff = True
        response.hasDetailedDiff = True
    return response

"""One pool's resources and what the engine does with them: check, diff, create or update, and delete at the end.

The engine takes half a minute for what takes a second here. It does little with a dynamic resource: it keeps the inputs
and outputs of the last success, passes both to the provider, stops after a failure, and deletes what the program no
longer has after everything else is done (pulumi v3.259.0, pkg/resource/deploy/step_generator.go).
"""

import copy
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
from pulumi.dynamic import ResourceProvider

from mig_fleet.components.assignment import AssignmentProvider
from mig_fleet.components.layout_file import LayoutFileProvider
from mig_fleet.components.layouts import MigLayouts
from mig_fleet.components.owner import ClusterOwner, ClusterOwnerProvider
from mig_fleet.components.pool import Pool, PoolArgs
from mig_fleet.components.supporting_objects import SupportingObjects, SupportingObjectsProvider
from mig_fleet.components.verification import VerificationProvider
from mig_fleet.failures import CleanError
from mig_fleet.model.layouts import Layout
from mig_fleet.model.strategy import Strategy
from mig_fleet.observed.snapshot import invalidate
from mig_fleet.rollout import engine_run
from mig_fleet.rollout.wave import PREVIEW_ONLY
from tests.faults.installation import REPORTS, probe_objects
from tests.faults.recording import Inputs, record_inputs
from tests.faults.scenario import GPU, GPUS, LAYOUTS, OWNER, POOL, POOL_NAME
from tests.simulator.site import NAMESPACE

CLUSTER_OWNER = "pulumi-python:dynamic/mig:ClusterOwner"
PROVIDERS: dict[str, type[ResourceProvider]] = {
    CLUSTER_OWNER: ClusterOwnerProvider,
    "pulumi-python:dynamic/mig:LayoutFile": LayoutFileProvider,
    "pulumi-python:dynamic/mig:Assignment": AssignmentProvider,
    "pulumi-python:dynamic/mig:SupportingObjects": SupportingObjectsProvider,
    "pulumi-python:dynamic/mig:Verification": VerificationProvider,
}


@dataclass(frozen=True)
class ResourceState:
    """A resource as the state file has it."""

    type: str
    id: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]


@dataclass
class Update:
    """What a user reads of one `pulumi preview` or `pulumi up`."""

    errors: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    """What a preview shows: drift, pruned configs, and the impact of a planned change, without its capacity."""
    remedies: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    """The resources that were created or updated, in order."""

    @property
    def error(self) -> str:
        return "\n\n".join(self.errors)


@dataclass
class Stack:
    """A pool in two waves, and its layout file."""

    kubeconfig: Path
    state: dict[str, ResourceState] = field(default_factory=dict)
    owner: str = OWNER
    """The output of the cluster's owner, which the program passes to everything else; a take-over changes it."""
    programs: dict[str, Inputs] = field(default_factory=dict)
    """Recorded programs, by their arguments."""
    adopted: dict[str, dict[str, ResourceState]] = field(default_factory=dict)
    """The states of verified stacks, by their arguments."""

    def program(self, target: Layout | None, rollout: Mapping[str, Any] | None = None, **changes: Any) -> Inputs:
        """The resources of the pool, in the order of `stacks/program.py`; ``None`` is a stack without it.

        ``changes`` are other arguments of the pool.
        """
        key = json.dumps([target and target.config_name, dict(rollout or {}), changes], default=str)
        if key not in self.programs:
            self.programs[key] = self._record(target, rollout or {}, changes)
        return self.programs[key]

    def _record(self, target: Layout | None, rollout: Mapping[str, Any], changes: dict[str, Any]) -> Inputs:
        cluster: Any = {"kubeconfig": str(self.kubeconfig), **changes.pop("cluster", {})}
        here: Any = {"cluster": cluster, "namespace": NAMESPACE, "reports_namespace": REPORTS}
        take_over = changes.pop("take_over", None)
        watched: list[Any] = [json.dumps(body) for body in probe_objects()] if changes.pop("watched", False) else []

        def program() -> None:
            owner: Any = {**here, "stack": OWNER.partition(" ")[2], "take_over": take_over}
            after_owner = pulumi.ResourceOptions(depends_on=[ClusterOwner("owner", owner)])
            file: Any = {**here, "layouts": list(LAYOUTS), "owner": OWNER, "take_over": take_over}
            before_pool: list[pulumi.Resource] = [MigLayouts("layouts", file, after_owner)]
            if watched:
                objects: Any = {"cluster": cluster, "namespace": NAMESPACE, "objects": watched}
                before_pool.append(SupportingObjects("objects", objects, after_owner))
            if target is not None:
                args: dict[str, Any] = {
                    **here,
                    "owner": OWNER,
                    "gpu": GPU,
                    "gpus_per_node": GPUS,
                    "nodes": list(POOL),
                    "layout": target,
                    "strategy": Strategy("mixed"),
                    "rollout": {"max_unavailable": 2, "timeout_seconds": 60, **rollout},
                }
                after = pulumi.ResourceOptions(depends_on=before_pool)
                Pool(POOL_NAME, PoolArgs(**{**args, **changes}), after)  # type: ignore[typeddict-item]

        return {name: found for name, found in record_inputs(program).items() if found[0] in PROVIDERS}

    def adopt(self, target: Layout, rollout: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
        """Use the state of a stack that was verified with the nodes as they are now.

        It is from an update with these arguments: from an earlier one, or from one that runs now.
        """
        key = json.dumps([target.config_name, dict(rollout), dict(changes)], default=str)
        if key not in self.adopted:
            self.state = {}
            update = self.up(self.program(target, rollout, **changes))
            assert not update.error, update.error
            self.adopted[key] = self.state
        self.state = dict(self.adopted[key])

    def preview(self, program: Inputs) -> Update:
        """One preview: it checks every resource and changes nothing."""
        begin_engine_run()
        preview = Update()
        with restored_traceback_limit():
            for name, (kind, inputs) in program.items():
                checked = self._check(preview, name, kind, inputs) or {}
                if kind == CLUSTER_OWNER and preview.error:
                    break  # everything else depends on it
                shown = [key for key in PREVIEW_ONLY if key not in ("capacityChanges", "impact", "notObserved")]
                preview.lines += [f"{key}: {line}" for key in shown for line in checked.get(key) or ()]
        return preview

    def up(self, program: Inputs) -> Update:
        """One update."""
        begin_engine_run()
        update = Update()
        with restored_traceback_limit():
            try:
                for name, (kind, inputs) in program.items():
                    self._register(update, name, kind, inputs)
                for name in reversed([name for name in self.state if name not in program]):
                    if not update.error:
                        self._delete(name)
            except CleanError as exc:
                update.errors.append(str(exc))
        return update

    def _delete(self, name: str) -> None:
        known = self.state[name]
        PROVIDERS[known.type]().delete(known.id, copy.deepcopy(known.outputs))
        del self.state[name]

    def _register(self, update: Update, name: str, kind: str, inputs: dict[str, Any]) -> None:
        try:
            self._apply(update, name, kind, inputs)
        except CleanError as exc:
            update.errors.append(str(exc))

    def _check(self, update: Update, name: str, kind: str, inputs: dict[str, Any]) -> dict[str, Any] | None:
        """The inputs with what `check` adds; ``None`` if it fails."""
        # A new owner would get another id in each run.
        olds = self.state[name].inputs if name in self.state else {"owner": OWNER} if kind == CLUSTER_OWNER else {}
        # A wave after a failed one is registered all the same (components/pool.py).
        given: dict[str, Any] = {"blocked": True} if update.error and "wave" in inputs else {}
        if inputs.get("owner"):
            given["owner"] = self.owner
        checked = PROVIDERS[kind]().check(copy.deepcopy(olds), copy.deepcopy({**inputs, **given}))
        update.errors += [failure.reason for failure in checked.failures]
        if kind == CLUSTER_OWNER and not checked.failures:
            self.owner = checked.inputs["owner"]
        return None if checked.failures else checked.inputs

    def _apply(self, update: Update, name: str, kind: str, inputs: dict[str, Any]) -> None:
        provider, known = PROVIDERS[kind](), self.state.get(name)
        news = self._check(update, name, kind, inputs)
        if news is None:
            return
        if known is None:
            created = provider.create(copy.deepcopy(news))
            self._keep(update, name, ResourceState(kind, created.id, news, created.outs or {}))
        elif provider.diff(known.id, copy.deepcopy(known.outputs), copy.deepcopy(news)).changes:
            outs = provider.update(known.id, copy.deepcopy(known.outputs), copy.deepcopy(news)).outs
            self._keep(update, name, ResourceState(kind, known.id, news, outs or {}))
        else:
            # The engine keeps the new inputs of a resource without changes.
            self.state[name] = ResourceState(kind, known.id, news, known.outputs)

    def _keep(self, update: Update, name: str, state: ResourceState) -> None:
        self.state[name] = state
        update.changed.append(name)
        update.remedies += state.outputs.get("remedies") or []


def begin_engine_run() -> None:
    """A provider process of its own knows no snapshot and no interrupt of an earlier run."""
    invalidate()
    engine_run.begin()


@contextmanager
def restored_traceback_limit() -> Iterator[None]:
    """Our providers shorten tracebacks for the rest of their process, which here is the tests' own."""
    before = getattr(sys, "tracebacklimit", None)
    try:
        yield
    finally:
        if before is None:
            vars(sys).pop("tracebacklimit", None)
        else:
            sys.tracebacklimit = before

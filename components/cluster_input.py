"""Which cluster, as a program says it: a kubeconfig's path, its contents, or the service account of the own pod.

Contents are secret wherever they go: Pulumi encrypts them in the state and prints ``[secret]``.
"""

from collections.abc import Mapping
from typing import Any, Final, TypedDict

import pulumi

from mig_fleet.cluster.in_cluster import service_account_kubeconfig
from mig_fleet.cluster.kubeconfig_path import contents_of, kubeconfig_path
from mig_fleet.components.refused import FleetRefused
from mig_fleet.model.finding import Finding

NO_CONTEXT: Final = "must be the name of a context, not the contents of a kubeconfig, which go into kubeconfig"
NOT_KNOWN_YET: Final = "the cluster is not known yet: nothing can be compared"
"""What a preview says of a cluster that the same program has still to create."""


class ClusterInputArgs(TypedDict, total=False):
    """A kubeconfig and a context, or ``in_cluster``. Without any of them ``$KUBECONFIG`` or ``~/.kube/config`` is read,
    and where neither exists the service account of the pod, as Pulumi's Kubernetes provider does it.
    """

    kubeconfig: pulumi.Input[str]
    """The path of a kubeconfig, or its contents as YAML, JSON or base64 of them: an output of the cluster that the same
    program creates. Contents become a secret."""
    context: pulumi.Input[str]
    """The context in the kubeconfig (default: its current one)."""
    in_cluster: bool
    """``True``: the service account of the pod in which Pulumi runs."""
    on_unreachable: str
    """``fail`` (default) or ``warn``: whether a preview continues if the API server does not answer."""


_WORDS: Final = {"in_cluster": "inCluster", "on_unreachable": "onUnreachable"}
_KINDS: Final = {dict: "a mapping, so pass the JSON text of it", str: "empty", type(None): "null"}
"""Of a value that cannot be shown."""
_KEYS: Final = ("kubeconfig", "context", "inCluster", "onUnreachable")


def cluster_properties(args: ClusterInputArgs | Mapping[str, Any]) -> dict[str, Any]:
    """The cluster as the inputs of our dynamic resources have it. Keys in camelCase are accepted, too.

    Raises :class:`~mig_fleet.components.refused.FleetRefused` for another key, and an output fails with it that has no
    usable value.
    """
    if not isinstance(args, Mapping):
        text = f"must be a mapping; its keys: {', '.join(_KEYS)}"
        raise FleetRefused("the cluster", [Finding("cluster", text)])
    given = {_WORDS.get(key, key): value for key, value in args.items() if value is not None}
    if unknown := given.keys() - {*_KEYS}:
        text = f"unknown key; the keys are {', '.join(_KEYS)}"
        raise FleetRefused("the cluster", [Finding(f"cluster.{key}", text) for key in sorted(unknown)])
    kubeconfig, context = given.get("kubeconfig"), given.get("context")
    if isinstance(context, pulumi.Output):
        given["context"] = context.apply(_context_of_output)
    elif isinstance(context, str) and contents_of(context):
        raise FleetRefused("the cluster", [Finding("cluster.context", NO_CONTEXT)])
    if isinstance(kubeconfig, pulumi.Output):
        given["kubeconfig"] = pulumi.Output.secret(kubeconfig.apply(_of_output))
    elif isinstance(kubeconfig, str) and (contents := contents_of(kubeconfig)):
        given["kubeconfig"] = pulumi.Output.secret(contents)
    return given


def is_known(properties: Mapping[str, Any]) -> bool:
    """Whether the program itself can read the cluster: no value of it is an output."""
    return not any(isinstance(value, pulumi.Output) for value in properties.values())


def provider_connection(properties: Mapping[str, Any]) -> dict[str, Any]:
    """``kubeconfig`` and ``context`` of Pulumi's Kubernetes provider, for the same cluster.

    Raises ``ValueError`` for a list of kubeconfigs, and
    :class:`~mig_fleet.cluster.errors.ClusterUnreachable` for ``inCluster`` outside of a pod.
    """
    context = properties.get("context")
    if properties.get("inCluster"):
        return {"kubeconfig": service_account_kubeconfig(), "context": context}
    kubeconfig = properties.get("kubeconfig")
    if isinstance(kubeconfig, pulumi.Output):
        return {"kubeconfig": kubeconfig.apply(_path_or_contents), "context": context}
    return {"kubeconfig": kubeconfig_path(kubeconfig), "context": context}


def _of_output(text: object) -> str:
    """Contents, or a path that cannot be mistaken for a credential: the path is part of messages."""
    if isinstance(text, str) and (contents := contents_of(text)):
        return contents
    if isinstance(text, str) and text.startswith(("/", "~", ".")):
        try:
            kubeconfig_path(text)
        except ValueError as exc:
            raise FleetRefused("the cluster", [Finding("cluster.kubeconfig", str(exc))]) from None
        return text
    raise _refused("kubeconfig", "the contents of a kubeconfig (YAML, JSON or base64), or a path such as ./name", text)


def _context_of_output(context: object) -> str:
    """An empty one would be the current context, which may be that of another cluster."""
    if isinstance(context, str) and contents_of(context):
        raise FleetRefused("the cluster", [Finding("cluster.context", NO_CONTEXT)])
    if isinstance(context, str) and context:
        return context
    raise _refused("context", "the name of a context", context)


def _refused(key: str, must_be: str, value: object) -> FleetRefused:
    found = "" if isinstance(value, str) and value else f"; it is {_KINDS.get(type(value), 'another value')}"
    return FleetRefused("the cluster", [Finding(f"cluster.{key}", f"is an output, and must be {must_be}{found}")])


def _path_or_contents(kubeconfig: str) -> str | None:
    return contents_of(kubeconfig) or kubeconfig_path(kubeconfig)

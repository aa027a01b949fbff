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
_KEYS: Final = ("kubeconfig", "context", "inCluster", "onUnreachable")


def cluster_properties(args: ClusterInputArgs | Mapping[str, Any]) -> dict[str, Any]:
    """The cluster as the inputs of our dynamic resources have it. Keys in camelCase are accepted, too.

    Raises ``ValueError`` for another key.
    """
    given = {_WORDS.get(key, key): value for key, value in args.items() if value is not None}
    if unknown := given.keys() - {*_KEYS}:
        raise ValueError(f"cluster has no key {', '.join(sorted(unknown))}; its keys: {', '.join(_KEYS)}")
    kubeconfig = given.get("kubeconfig")
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


def _of_output(text: str) -> str:
    """Contents, or a path that cannot be mistaken for a credential: the path is part of messages."""
    if contents := contents_of(text):
        return contents
    if text.startswith(("/", "~", ".")):
        return text
    must_be = "is an output, and must be the contents of a kubeconfig (YAML, JSON or base64), or a path such as ./name"
    raise FleetRefused("the cluster", [Finding("cluster.kubeconfig", must_be)])


def _path_or_contents(kubeconfig: str) -> str | None:
    return contents_of(kubeconfig) or kubeconfig_path(kubeconfig)

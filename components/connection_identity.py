"""Whether two inputs name the same cluster. Credentials that were renewed are no change of a wave."""

import hashlib
import sys
from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.runtime.proto.provider_pb2 import DeleteRequest, ReadRequest

from mig_fleet.cluster.kubeconfig_path import contents_of
from mig_fleet.documents import DocumentError, parse
from mig_fleet.rollout.wave import Props


def connection_identity(cluster: Mapping[str, Any] | None) -> object:
    """Equal for the same way to the same cluster: of a kubeconfig's contents the context, the server and its
    certificate count, and the user does not. An unknown cluster equals nothing.
    """
    given = dict(cluster or {})
    kubeconfig = given.get("kubeconfig")
    if pulumi.runtime.rpc.contains_unknowns(given):
        return object()
    if isinstance(kubeconfig, str) and (contents := contents_of(kubeconfig)):
        given["kubeconfig"] = _server_of(contents, given.get("context"))
    return tuple(sorted((key, str(value)) for key, value in given.items()))


def with_newest_credentials(props: Props) -> Props:
    """The outputs of a resource that is deleted or refreshed, with the credentials that the last update was given.

    An update that changes nothing stores new inputs and keeps the outputs (pulumi v3.259.0 pkg/resource/deploy/step.go,
    SameStep). The SDK passes a provider only the outputs, so the inputs are read from the frame of its servicer, where
    the request is a parameter (pulumi/dynamic/__main__.py).
    """
    frame = sys._getframe()
    while caller := frame.f_back:
        frame = caller
        request = frame.f_locals.get("request")
        if isinstance(request, DeleteRequest | ReadRequest):
            inputs = request.old_inputs if isinstance(request, DeleteRequest) else request.inputs
            return newest(props, pulumi.runtime.rpc.deserialize_properties(inputs))
    return props


def newest(outputs: Props, inputs: Mapping[str, Any]) -> Props:
    """``outputs`` with the cluster of ``inputs``, if both name the same one."""
    cluster = inputs.get("cluster")
    if not cluster or connection_identity(cluster) != connection_identity(outputs.get("cluster")):
        return outputs
    return {**outputs, "cluster": cluster}


def _server_of(contents: str, context: object) -> str:
    """What identifies the server, as a hash; of a text that is no kubeconfig the hash of all of it."""
    found: object = contents
    try:
        data = parse("kubeconfig", contents.encode()).data
        name = context or data["current-context"]
        chosen = next(each["context"] for each in data["contexts"] if each["name"] == name)
        cluster = next(each["cluster"] for each in data["clusters"] if each["name"] == chosen["cluster"])
        found = name, cluster["server"], cluster.get("certificate-authority-data")
    except (DocumentError, LookupError, StopIteration, TypeError, AttributeError):
        pass
    return hashlib.sha256(repr(found).encode()).hexdigest()

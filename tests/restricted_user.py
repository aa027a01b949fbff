"""A user of the simulated cluster with exactly some rights, known by the token of a service account."""

from collections.abc import Iterable
from pathlib import Path

import yaml

from mig_fleet.observed.rights.grant import Grant, Right, Step
from mig_fleet.observed.rights.roles import manifests
from mig_fleet.simulator import Fleet
from mig_fleet.simulator.api import Json
from mig_fleet.simulator.errors import ApiError

HOME = "default"
"""The namespace of the service account."""
RBAC = "rbac.authorization.k8s.io"


class RestrictedUser:
    """A user whose roles can be replaced; without any at first. Service accounts may ask what they may do."""

    def __init__(self, fleet: Fleet, name: str, folder: Path) -> None:
        self._fleet, self._name = fleet, name
        self._roles: set[str] = set()
        accounts = f"/api/v1/namespaces/{HOME}/serviceaccounts"
        fleet.call("create", accounts, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}})
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        token = fleet.call("create", f"{accounts}/{name}/token", request)["status"]["token"]
        document = yaml.safe_load(fleet.kubeconfig.read_text())
        document["users"] = [{"name": each["name"], "user": {"token": token}} for each in document["users"]]
        self.kubeconfig = folder / f"{name}.kubeconfig"
        self.kubeconfig.write_text(yaml.safe_dump(document))

    def give(self, documents: Iterable[Json]) -> None:
        """Create or replace what `mig-fleet rights` printed, and bind the roles to the user."""
        for document in documents:
            if document["kind"] == "Namespace":
                self._apply("/api/v1/namespaces", document)
                continue
            kind, namespace = document["kind"], document["metadata"].get("namespace", "")
            where = f"/apis/{RBAC}/v1" + (f"/namespaces/{namespace}" if namespace else "")
            role = {**document, "metadata": {**document["metadata"], "name": self._name}}
            binding = {
                "apiVersion": f"{RBAC}/v1",
                "kind": f"{kind}Binding",
                "metadata": {"name": self._name},
                "roleRef": {"apiGroup": RBAC, "kind": kind, "name": self._name},
                "subjects": [{"kind": "ServiceAccount", "name": self._name, "namespace": HOME}],
            }
            self._apply(f"{where}/{kind.lower()}s", role)
            self._apply(f"{where}/{kind.lower()}bindings", binding)

    def give_only(self, rights: Iterable[Right]) -> None:
        """These rights, one rule for each; a role without any of them becomes empty."""
        for role in self._roles:
            self._fleet.call("patch", role, {"rules": []})
        single = [
            Grant(
                verbs=(right.verb,),
                resources=(right.resource,),
                namespace=right.namespace,
                names=(right.name,) if right.name else (),
                step=Step.UPDATE,
                why="",
            )
            for right in rights
        ]
        self.give(manifests(single, []))

    def _apply(self, collection: str, body: Json) -> None:
        if body["kind"] in ("ClusterRole", "Role"):
            self._roles.add(f"{collection}/{body['metadata']['name']}")
        try:
            self._fleet.call("create", collection, body)
        except ApiError as exc:
            assert exc.status == 409, exc
            if body["kind"] in ("ClusterRole", "Role"):
                self._fleet.call("patch", f"{collection}/{body['metadata']['name']}", {"rules": body["rules"]})

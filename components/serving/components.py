"""The components that the plugin serves, and their schema."""

import json
import re
from typing import Any, Final

import pulumi
from pulumi.provider import ConstructResult, Provider
from pulumi.provider.experimental.component import ComponentProvider
from pulumi.provider.experimental.schema import generate_schema

from mig_fleet.components.serving.schema_types import PlainTypes
from mig_fleet.model.resource_types import COMPONENT, PACKAGE

NAMESPACE: Final = "mig-fleet"
"""Without one, the package for TypeScript would be ``@pulumi/mig-fleet``."""
ABOUT: Final = {
    "displayName": "mig-fleet",
    "description": "NVIDIA MIG layouts for Kubernetes as reviewed code",
    "keywords": ["category/infrastructure", "kind/component", "nvidia", "mig", "gpu", "kubernetes"],
    "homepage": "https://github.com/mig-fleet/mig-fleet",
    "repository": "https://github.com/mig-fleet/mig-fleet",
    "license": "Apache-2.0",
    "publisher": "mig-fleet",
}
_ARGS: Final = re.compile(rf"({COMPONENT}\w+?)(?:Input)?Args\b")


class Components(ComponentProvider):
    """The SDK's provider of components, with types that it refuses, and with arguments that only ours check."""

    def __init__(self, components: list[type[pulumi.ComponentResource]], version: str) -> None:
        self._name = PACKAGE
        self.analyzer = PlainTypes(PACKAGE)
        found = self.analyzer.analyze(components)
        self._components = {component.__name__: component for component in components}
        self._component_defs = found["component_definitions"]
        self._type_defs = found["type_definitions"]
        self._external_enum_types = found["external_enum_types"]
        self._dependencies = []
        spec = generate_schema(PACKAGE, version, NAMESPACE, self._component_defs, self._type_defs, [])
        Provider.__init__(self, version, schema_text(spec.to_json()))

    def map_inputs(self, inputs: Any, component_def: Any) -> Any:
        """A fleet gets its sections as they are in a stack file: the SDK would drop a misspelled key without a word."""
        return inputs if component_def.name == "Fleet" else super().map_inputs(inputs, component_def)

    def construct(
        self, name: str, resource_type: str, inputs: Any, options: pulumi.ResourceOptions | None = None
    ) -> ConstructResult:
        """Only to say which version of the plugin lacks the component."""
        kind = resource_type.rpartition(":")[2]
        if kind not in self._components:
            known = ", ".join(sorted(self._components))
            raise pulumi.InputPropertiesError(f"mig-fleet {self.version} has no component {kind}; it has {known}", [])
        return super().construct(name, resource_type, inputs, options)


def schema_text(spec: dict[str, Any]) -> str:
    """The schema as JSON, sorted, without nulls. A type's name does not end in ``Args``: the SDKs add that word."""
    text = json.dumps(_without_nulls({**spec, **ABOUT}), indent=2, sort_keys=True, ensure_ascii=False)
    return _ARGS.sub(r"\1", text) + "\n"


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    return [_without_nulls(each) for each in value] if isinstance(value, list) else value

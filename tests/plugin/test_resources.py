"""Every resource of ours is served by the plugin, and is dynamic everywhere else."""

import importlib
import pkgutil

from mig_fleet import components
from mig_fleet.components.resource import Resource
from mig_fleet.components.serving.resources import PROVIDERS, provider_of
from mig_fleet.model.resource_types import KINDS, RESOURCES, dynamic_type, served_type
from tests.plugin.plugin_process import urn


def resources() -> dict[str, type[Resource]]:
    for module in pkgutil.walk_packages(components.__path__, "mig_fleet.components."):
        importlib.import_module(module.name)
    return {each.__name__: each for each in Resource.__subclasses__()}


def test_every_resource_has_both_types_and_a_provider_in_the_plugin() -> None:
    assert sorted(resources()) == sorted(KINDS) == sorted(PROVIDERS), "a new resource needs a line in each of them"
    assert {make(kind) for kind in KINDS for make in (dynamic_type, served_type)} == RESOURCES


def test_the_type_of_a_resource_in_a_python_program_is_that_of_existing_states() -> None:
    for kind, found in resources().items():
        assert f"pulumi-python:{found._resource_type_name}" == dynamic_type(kind)


def test_the_plugin_finds_the_provider_by_the_type_in_the_urn() -> None:
    for kind, provider in PROVIDERS.items():
        assert provider_of(urn(kind)) is provider
        assert type(provider).__name__ == f"{kind}Provider"

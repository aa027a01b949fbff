"""The messages and services of Pulumi's protocol, without the rest of its SDK.

``import pulumi.runtime.proto`` would load the whole SDK first. A host needs none of it, and it would take half of the
host's start. Each command of the engine starts two or three hosts.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType
from typing import Final

PACKAGES: Final = ("pulumi", "pulumi.runtime")
"""Their modules are found below them; their own code, which imports the SDK, does not run."""


@contextmanager
def _empty_packages() -> Iterator[None]:
    """In the block these packages are empty, unless the SDK is loaded already. Afterwards it can be imported."""
    if "pulumi" in sys.modules:
        yield
        return
    (folder,) = getattr(find_spec("pulumi"), "submodule_search_locations", None) or [""]
    for name in PACKAGES:
        package = ModuleType(name)
        package.__path__ = ["/".join((folder, *name.split(".")[1:]))]
        sys.modules[name] = package
    try:
        yield
    finally:
        for name in PACKAGES:
            del sys.modules[name]


with _empty_packages():
    from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

__all__ = ["language_pb2", "language_pb2_grpc", "plugin_pb2"]

"""A small Python language host for an engine that came without the official one.

The official host is part of Pulumi's release archive and cannot be built from the module proxy; beside an engine that
was built here, this one serves. It speaks the public ``LanguageRuntime`` protocol through the stubs of the ``pulumi``
package, runs programs and policy packs, and leaves what this project never asks for (code generation, templates,
packing, debuggers) to the official CLI. Nothing else in the product knows it.

`python -m mig_fleet.toolchain.language_host <engine address>` prints its port and serves until the engine is gone.
"""

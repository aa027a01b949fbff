"""A small Python language host for an engine without the official one.

The official host is part of Pulumi's release archive and cannot be built from the module proxy. An engine from the
proxy uses this one. It implements the public ``LanguageRuntime`` protocol with the stubs of the ``pulumi``
package and runs programs and policy packs. It does not implement code generation, templates, packing and debuggers,
which this project does not use. No other module of the product depends on it.

`python -m mig_fleet.language_host <engine address>` prints its port and serves until the engine ends.
"""

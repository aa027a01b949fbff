"""The subcommands of ``mig-fleet``: arguments and help only.

A module imports nothing but click and the standard library. A command imports its work from :mod:`mig_fleet.cli` when
it runs, so that help and completion start fast.
"""

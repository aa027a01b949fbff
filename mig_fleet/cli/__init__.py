"""The command ``mig-fleet``: each subcommand is a module, imported only when it is called; the others are helpers."""

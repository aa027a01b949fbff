"""The command ``mig-fleet``: `commands` has its subcommands, the modules here their work."""

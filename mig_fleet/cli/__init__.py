"""The command ``mig-fleet``: one module per subcommand, imported only when the subcommand is called."""

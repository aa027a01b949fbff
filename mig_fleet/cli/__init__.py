"""The command ``mig-fleet``: one module per subcommand, each imported only when it is called."""

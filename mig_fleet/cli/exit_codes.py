"""The exit codes of every command; docs/reference/command-line.md has the same table."""

from enum import IntEnum


class ExitCode(IntEnum):
    """A command that runs Pulumi (`local`, `pulumi`) also exits with Pulumi's own codes."""

    SUCCESS = 0
    FAILURE = 1
    """The answer is no, something is wrong, or the command failed."""
    USAGE = 2
    """Click's own code: the arguments, or a file that they name, cannot be used."""
    UNKNOWN = 3
    """No answer: something cannot be proven, or what is asked about does not run (as `systemctl status`)."""
    CHANGES = 7
    """A preview that must show no changes shows some."""
    INTERRUPTED = 130
    """Ctrl-C (128 + SIGINT)."""

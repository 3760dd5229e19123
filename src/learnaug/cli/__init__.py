"""The command line; nothing heavy is imported before a command runs."""

from learnaug.cli.guard import main as main

__all__ = ["main"]

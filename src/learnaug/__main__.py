"""`python -m learnaug` is the command `learnaug`."""

from learnaug.cli import main

main()

"""`python -m ticketing_local`: the same command, for a supervisor in the background."""

from .cli import main

main()

"""`python -m ticketing_local`: the same command, which starts the supervisor in the background."""

from .cli import main

main()

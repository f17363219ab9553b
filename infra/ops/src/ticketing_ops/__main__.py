"""`python -m ticketing_ops`."""

from .cli import main

main()

"""Holds: the only judge of who has a ticket."""

"""Decisions and steps of the pipeline, in Python; each also runs locally through the Makefile, without GitHub."""

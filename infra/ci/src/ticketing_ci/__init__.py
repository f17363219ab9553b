"""What the pipeline decides and does, in Python: each piece runs by hand through the Makefile, without GitHub."""

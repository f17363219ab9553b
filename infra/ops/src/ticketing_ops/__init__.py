"""The operator's commands: what they read is a running stack on this machine, or what the environment names."""

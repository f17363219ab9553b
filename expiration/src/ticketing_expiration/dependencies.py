"""Empty: without a public route nothing is injected into one."""

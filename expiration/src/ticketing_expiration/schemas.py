"""Empty: without a public route there are no requests and responses of our own."""

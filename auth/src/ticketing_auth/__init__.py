"""Sign-up, sign-in and sessions; the only holder of the private key."""

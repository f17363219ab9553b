"""Empty: nothing that happens elsewhere changes an account, so auth listens to nobody and needs no event bus."""

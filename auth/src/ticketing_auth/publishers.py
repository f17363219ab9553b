"""Empty: no other service keeps anything about users but the id and e-mail in their tokens, so nothing is told."""

"""What the five ticketing services share: events, storage, delivery, security and web."""

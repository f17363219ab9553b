"""Optimistic against pessimistic: who gets the ticket, decided in five ways, on a hot ticket and on many."""

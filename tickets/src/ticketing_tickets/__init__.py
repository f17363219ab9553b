"""Listings: what is on sale, what is held, what is sold."""

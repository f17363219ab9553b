"""Deadlines of orders: ends holds that are not paid in time."""

"""Deadlines: releases the holds that nobody paid for."""

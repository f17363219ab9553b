"""Hypothesis in every suite: no time limit, because a machine that stalls is no counterexample.

Its defaults fail an example that takes 200 ms, and inputs that take long to generate, except where `CI` is set. The
rest stays as in the current profile.
"""

from hypothesis import HealthCheck, settings

settings.register_profile("ticketing", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ticketing")

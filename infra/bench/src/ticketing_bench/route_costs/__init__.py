"""What single routes cost, each against a baseline: the same answer from a bare route, or the raw work alone."""

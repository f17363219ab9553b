"""What single routes cost, each against the plain thing: the same answer from a bare route, or the raw work alone."""

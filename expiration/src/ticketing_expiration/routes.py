"""Empty: deadlines are set and told of by events only; health and metrics come with `create_service_app`."""

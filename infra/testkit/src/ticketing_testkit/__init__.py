"""The test kit: real MongoDB, NATS and Redis servers, the Stripe double, and a way to run a service in a test."""

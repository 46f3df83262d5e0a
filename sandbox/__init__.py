"""A stateful double of the part of Stripe that Billy uses, served as a process with Stripe's own HTTP API."""

"""What Billy tells of its own running: one correlation id, spans, measures and log lines, and nothing of a customer in any of them."""

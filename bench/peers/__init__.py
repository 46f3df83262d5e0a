"""What the measures are compared with: the least that does the same work, each a process of its own."""

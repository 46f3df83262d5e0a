"""What `make run` does: the sandbox, the local host and a believable company, brought up together on one machine."""

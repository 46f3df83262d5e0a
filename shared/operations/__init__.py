"""What can be done, one file per noun, and the one road that every call takes."""

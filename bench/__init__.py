"""Measures of the whole and of its parts, each beside a peer that runs in the same run."""

"""A believable company: eighteen months of customers, payments and bills, the same for the same seed and moment."""

from sandbox.company.fill import Counts, fill

__all__ = ["Counts", "fill"]

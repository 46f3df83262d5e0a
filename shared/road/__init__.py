"""The road: the one way of every call, from permit to outcome, and the attempts that make a write happen once. Knows no operation but in `catalogue`."""

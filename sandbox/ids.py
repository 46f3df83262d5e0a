"""Identifiers in Stripe's shape, random or repeatable from a seed."""

import secrets
from hashlib import blake2b

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def _spell(number: int, length: int) -> str:
    letters = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        letters.append(ALPHABET[digit])
    return "".join(letters)


class Ids:
    """`new('ch')` gives `ch_` and 24 letters. With a seed, the same start gives the same ids in the same order;
    `start` keeps a restarted process from repeating the ones it gave before."""

    def __init__(self, seed: int | None = None, start: int = 0) -> None:
        self._seed = seed
        self._start = start
        self._count = 0

    def letters(self, length: int = 24) -> str:
        if self._seed is None:
            return _spell(int.from_bytes(secrets.token_bytes(24)), length)
        self._count += 1
        return _spell(int.from_bytes(blake2b(f"{self._seed}:{self._start}:{self._count}".encode(), digest_size=24).digest()), length)

    def new(self, prefix: str) -> str:
        return f"{prefix}_{self.letters()}"

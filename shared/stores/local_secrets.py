"""Secrets on a laptop: one JSON file that only its owner can read."""

import os
import stat
import threading
from pathlib import Path
from secrets import token_hex
from typing import Self

import orjson

from shared.errors import BillyError


class LocalSecrets:
    """`Secrets` over `secrets.json` (mode 0600) in a folder. A change is a new file put in the old one's place."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writing = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._values: dict[str, str] = {}

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The secrets of `folder`; the file is made with the first secret."""
        return cls(folder / "secrets.json")

    async def close(self) -> None:
        """Nothing is held open."""

    def __repr__(self) -> str:
        return "LocalSecrets(…)"

    async def get(self, name: str) -> str | None:
        """The secret's value, or None. Raises `unavailable` when others may read the file."""
        return self._read().get(name)

    async def set(self, name: str, value: str) -> None:
        """Durable on return. Raises `unavailable` when others may read the file."""
        with self._writing:
            self._replace(self._read() | {name: value})

    def _read(self) -> dict[str, str]:
        try:
            facts = os.stat(self._path)
        except FileNotFoundError:
            self._seen, self._values = None, {}
            return self._values
        if os.name == "posix" and stat.S_IMODE(facts.st_mode) & 0o077:
            raise BillyError("unavailable", "The secrets file can be read by others.", next="Run chmod 600 on secrets.json in BILLY_HOME.")
        seen = (facts.st_ino, facts.st_mtime_ns, facts.st_size)
        if seen != self._seen:
            try:
                self._values = orjson.loads(self._path.read_bytes())
            except orjson.JSONDecodeError:  # its text shows the document
                raise BillyError("unavailable", "The secrets file is not valid JSON.") from None
            self._seen = seen
        return self._values

    def _replace(self, values: dict[str, str]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self._path.with_name(f".{self._path.name}.{token_hex(8)}")
        try:
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(orjson.dumps(values, option=orjson.OPT_INDENT_2))
                file.flush()
                os.fsync(file.fileno())
            os.replace(fresh, self._path)
        finally:
            fresh.unlink(missing_ok=True)
        if os.name == "posix":
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)  # the new name is durable too
            finally:
                os.close(folder)

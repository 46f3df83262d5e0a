"""Full-text search in SQLite: one FTS5 index per kind, newest first, where what is typed can never become syntax."""

import re
import sqlite3
from collections.abc import Iterable

from shared.stores.words import phrases

_KIND = re.compile(r"[a-z][a-z_]{0,39}")
PREFIXES = 4  # beginnings of up to this many letters have a list of their own in the index
ENDINGS = 24  # longer beginnings are looked up as the words that they begin, as long as these are few


class SearchIndex:
    """The indexes of one connection. They hold no text: to take an object out, its old words must be given."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def forget(self) -> None:
        """After a rollback: an index that was thought made may not be there."""
        self._known.clear()

    def make(self, connection: sqlite3.Connection, kind: str) -> str:
        """The index's name, made when it is not there."""
        name = index_name(kind)
        if name not in self._known:
            lengths = " ".join(str(n) for n in range(1, PREFIXES + 1))
            connection.execute(
                f"CREATE VIRTUAL TABLE IF NOT EXISTS {name} USING fts5(words, content='', columnsize=0, prefix='{lengths}', "
                "tokenize='unicode61 remove_diacritics 0')"
            )
            connection.execute(f"CREATE VIRTUAL TABLE IF NOT EXISTS {name}_terms USING fts5vocab({name}, 'instance')")
            self._known.add(name)
        return name

    def knows(self, connection: sqlite3.Connection, kind: str) -> bool:
        name = index_name(kind)
        if name not in self._known and connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone():
            self._known.add(name)
        return name in self._known

    def change(self, connection: sqlite3.Connection, kind: str, changes: Iterable[tuple[int, str, str]]) -> None:
        """Takes (position, old words, new words) into the index of `kind`; an empty text stands for not being there."""
        name = self.make(connection, kind)
        # FTS5 keeps what is pending in memory only as long as positions rise.
        ordered = sorted(changes)
        gone = [(position, old) for position, old, _ in ordered if old]
        if gone:
            connection.executemany(f"INSERT INTO {name}({name}, rowid, words) VALUES ('delete', ?, ?)", gone)  # noqa: S608
        come = [(position, new) for position, _, new in ordered if new]
        if come:
            connection.executemany(f"INSERT INTO {name}(rowid, words) VALUES (?, ?)", come)  # noqa: S608

    def find(self, connection: sqlite3.Connection, kind: str, text: str, limit: int) -> list[int]:
        """Positions of the newest objects in which every word of `text` begins a word."""
        asked = phrases(text)
        if not asked or not self.knows(connection, kind):
            return []
        name = index_name(kind)
        parts = [_part(connection, name, runs) for runs in asked]
        if not all(parts):
            return []
        rows = connection.execute(
            f"SELECT rowid FROM {name} WHERE {name} MATCH ? ORDER BY rowid DESC LIMIT ?",  # noqa: S608
            (" AND ".join(parts), limit),
        )
        return [position for (position,) in rows]


def _part(connection: sqlite3.Connection, name: str, runs: list[str]) -> str:
    """The FTS5 expression of one word of a query, or "" when nothing begins with it.

    Every run is made of letters and digits alone and stands in quotes. For a long beginning FTS5 would gather all the
    objects of all words that begin with it before it gives the first: one common word would cost seconds. The words
    themselves, asked for by name, are read newest first and no further than the limit.
    """
    *before, last = runs
    if len(last) <= PREFIXES:
        return f'"{" ".join(runs)}"*'
    words = _words(connection, name, last)
    if len(words) > ENDINGS:
        return f'"{" ".join(runs)}"*'
    alternatives = " OR ".join(f'"{" ".join([*before, word])}"' for word in words)
    return f"({alternatives})" if len(words) > 1 else alternatives


def _words(connection: sqlite3.Connection, name: str, beginning: str) -> list[str]:
    """The indexed words with that beginning, and no more than one too many. One seek each."""
    words: list[str] = []
    start = beginning
    while len(words) <= ENDINGS:
        row = connection.execute(f"SELECT term FROM {name}_terms WHERE term >= ? LIMIT 1", (start,)).fetchone()  # noqa: S608
        if row is None or not row[0].startswith(beginning):
            break
        words.append(row[0])
        start = row[0] + "\x01"
    return words


def index_name(kind: str) -> str:
    """The name of a kind's index; a kind that is no plain word is refused, since a table's name cannot be a parameter."""
    if not _KIND.fullmatch(kind):
        raise ValueError("A kind is a lower-case word.")
    return f"words_{kind}"

"""Full-text search in SQLite: one FTS5 index per kind, newest first, where what is typed can never become syntax."""

import re
import sqlite3
from collections.abc import Iterable, Sequence

from shared.stores.words import holds, phrases

_KIND = re.compile(r"[a-z][a-z_]{0,39}")
PREFIXES = 6  # beginnings of up to this many letters have a list of their own in the index
ENDINGS = 24  # longer beginnings are looked up as the words that they begin, as long as these are few
LOOKED_AT = 500  # newest objects whose words are read where they are many
_LISTS = re.compile(r"prefix='[0-9 ]*?([0-9]+)'")


class SearchIndex:
    """The indexes of one connection. They hold no text: to take an object out, its old words must be given."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}  # name, and the letters of its longest prefix list: an older file's may be shorter

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
            self._known[name] = PREFIXES
        return name

    def knows(self, connection: sqlite3.Connection, kind: str) -> bool:
        name = index_name(kind)
        if name not in self._known:
            row = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()
            if row is not None:
                lists = _LISTS.search(row[0])
                self._known[name] = int(lists[1]) if lists else 0
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
        """Positions of the newest objects in which every word of `text` begins a word.

        For a beginning that has no list of its own FTS5 gathers all objects of all words that begin with it before it
        gives the first: `adamson` with a thousand addresses like `adamson17` would cost as much as all their charges.
        So where these words are few they are asked for by name, and where they are many the objects in the list of
        the first letters are read newest first until enough of them hold what was asked. Only where that finds too
        little among the newest is everything gathered.
        """
        sought = phrases(text)
        if not sought or not self.knows(connection, kind):
            return []
        name = index_name(kind)
        letters = self._known[name]
        parts = [_part(connection, name, runs, letters) for runs in sought]
        if any(part == "" for part in parts):
            return []
        if None in parts and letters:
            near = _look(
                connection, name, [part or _begins(runs, letters) for part, runs in zip(parts, sought, strict=True)], sought, limit
            )
            if near is not None:
                return near
        exact = [part or _begins(runs) for part, runs in zip(parts, sought, strict=True)]
        rows = connection.execute(
            f"SELECT rowid FROM {name} WHERE {name} MATCH ? ORDER BY rowid DESC LIMIT ?",  # noqa: S608
            (" AND ".join(exact), limit),
        )
        return [position for (position,) in rows]


def _look(connection: sqlite3.Connection, name: str, parts: list[str], sought: Sequence[Sequence[str]], limit: int) -> list[int] | None:
    """The newest of the objects that `parts` find and whose words hold what is sought; None where these are too few to be sure."""
    rows = connection.execute(
        f"SELECT i.rowid, o.words FROM {name} AS i CROSS JOIN objects AS o ON o.position = i.rowid "  # noqa: S608
        f"WHERE i.{name} MATCH ? ORDER BY i.rowid DESC LIMIT ?",
        (" AND ".join(parts), LOOKED_AT),
    )
    found: list[int] = []
    looked = 0
    for position, words in rows:
        looked += 1
        if holds(words, sought):
            found.append(position)
        if len(found) == limit:
            return found
    return found if looked < LOOKED_AT else None


def _part(connection: sqlite3.Connection, name: str, runs: Sequence[str], letters: int) -> str | None:
    """The FTS5 expression of one word of a query: "" when nothing begins with it, None where too many words do.

    Every run is made of letters and digits alone and stands in quotes.
    """
    *before, last = runs
    if len(last) <= letters:
        return _begins(runs)
    words = _words(connection, name, last)
    if len(words) > ENDINGS:
        return None
    alternatives = " OR ".join(f'"{" ".join([*before, word])}"' for word in words)
    return f"({alternatives})" if len(words) > 1 else alternatives


def _begins(runs: Sequence[str], letters: int | None = None) -> str:
    """The expression of what begins with the runs, the last one cut to so many letters."""
    *before, last = runs
    return f'"{" ".join([*before, last[:letters]])}"*'


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

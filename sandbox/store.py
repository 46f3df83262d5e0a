"""Where the sandbox keeps its objects: one SQLite file that survives a restart."""

import os
import sqlite3
from pathlib import Path
from typing import Any

# Columns that lists filter by. What is not a column is read out of the JSON body.
LINKS = ("customer", "charge", "payment_intent", "subscription", "invoice", "product", "status", "type")

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY,
    kind TEXT NOT NULL, livemode INTEGER NOT NULL, id TEXT NOT NULL, created INTEGER NOT NULL, deleted INTEGER NOT NULL DEFAULT 0,
    {", ".join(f"{link} TEXT" for link in LINKS)},
    body TEXT NOT NULL, private TEXT
);
CREATE UNIQUE INDEX IF NOT EXISTS objects_id ON objects (kind, livemode, id);
CREATE INDEX IF NOT EXISTS objects_newest ON objects (kind, livemode, created, seq) WHERE deleted = 0;
{"".join(f"CREATE INDEX IF NOT EXISTS objects_{link} ON objects (kind, livemode, {link}, created, seq) WHERE {link} IS NOT NULL AND deleted = 0;" for link in LINKS)}
CREATE TABLE IF NOT EXISTS idempotency (
    livemode INTEGER NOT NULL, key TEXT NOT NULL, created INTEGER NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL, digest TEXT NOT NULL,
    request TEXT NOT NULL, status INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (livemode, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY, event TEXT NOT NULL, livemode INTEGER NOT NULL, endpoint TEXT NOT NULL, attempt INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL, state TEXT NOT NULL DEFAULT 'pending', answer INTEGER
);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (due) WHERE state = 'pending';
CREATE INDEX IF NOT EXISTS deliveries_event ON deliveries (event);
CREATE TABLE IF NOT EXISTS timers (at INTEGER NOT NULL, name TEXT NOT NULL, id TEXT NOT NULL, livemode INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS timers_at ON timers (at);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


class Store:
    """The open file. Not shared between threads."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = home / "sandbox.sqlite"
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
        for each in (
            file,
            file.with_name(file.name + "-wal"),
            file.with_name(file.name + "-shm"),
        ):  # SQLite gives a new one the file's mode
            if each.exists():
                each.chmod(0o600)
        self.db = sqlite3.connect(file, isolation_level=None, cached_statements=512)
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("PRAGMA synchronous=NORMAL")
        self.db.execute("PRAGMA cache_size=-65536")
        self.db.execute("PRAGMA mmap_size=2147483648")
        self.db.executescript(SCHEMA)

    def fact(self, name: str, default: str | None = None) -> str | None:
        """A fact about the sandbox itself, such as how far its clock was moved."""
        row = self.db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return row[0] if row else default

    def set_fact(self, name: str, value: Any) -> None:
        self.db.execute("INSERT INTO facts VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", (name, str(value)))

    def close(self) -> None:
        self.db.close()

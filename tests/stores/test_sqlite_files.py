"""What the SQLite files do besides their contracts: commits, crashes, versions, and a clean end."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.stores import sqlite_audit, sqlite_search
from shared.stores.expiry import DAY
from shared.stores.protocols import Applied, Changed, Exists, Query, Write
from shared.stores.sqlite import Database, NewerStore
from shared.stores.sqlite_audit import SqliteAuditLog
from shared.stores.sqlite_mirror import SqliteMirror
from shared.stores.sqlite_records import EXPIRES, MIGRATION, PURGE, SqliteRecords, equal


def records_of(home: Path) -> SqliteRecords:
    return SqliteRecords.open(home, time.time)


STORES: dict[str, Callable[[Path], Any]] = {"mirror": SqliteMirror.open, "records": records_of, "audit": SqliteAuditLog.open}
TABLE = ("CREATE TABLE t (n INTEGER PRIMARY KEY)",)


def put(n: int) -> Callable[[sqlite3.Connection], int]:
    return lambda connection: connection.execute("INSERT INTO t VALUES (?)", (n,)).rowcount


def numbers(connection: sqlite3.Connection) -> list[int]:
    return [n for (n,) in connection.execute("SELECT n FROM t ORDER BY n")]


def write(n: int) -> Write:
    return Write("charge", f"ch_{n}", 1_700_000_000 + n, 1_700_000_000, b"{}", "succeeded", "cus_1", "usd", 1, 0, "word")


@pytest.mark.parametrize("name", STORES)
async def test_a_store_made_by_a_newer_version_is_refused_in_clear_words(tmp_path: Path, name: str) -> None:
    await STORES[name](tmp_path).close()
    with closing(sqlite3.connect(tmp_path / f"{name}.sqlite")) as raw:
        raw.execute("PRAGMA user_version = 99")
    with pytest.raises(NewerStore, match=rf"{name}\.sqlite has schema 99.*up to \d"):
        STORES[name](tmp_path)


async def test_an_older_file_is_brought_to_the_newest_schema_and_keeps_its_rows(tmp_path: Path) -> None:
    old = Database(tmp_path / "x.sqlite", TABLE)
    await old.write(put(1))
    await old.close()
    new = Database(tmp_path / "x.sqlite", (*TABLE, "ALTER TABLE t ADD COLUMN more TEXT;\n\nINSERT INTO t VALUES (2, 'x')"))
    assert new.read(numbers) == [1, 2]
    await new.close()


async def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    await Database(tmp_path / "x.sqlite", TABLE).close()
    with pytest.raises(sqlite3.OperationalError):
        Database(tmp_path / "x.sqlite", (*TABLE, "CREATE TABLE u (n);\n\nnonsense"))
    with closing(sqlite3.connect(tmp_path / "x.sqlite")) as raw:
        assert raw.execute("PRAGMA user_version").fetchone() == (1,)
        assert raw.execute("SELECT count(*) FROM sqlite_master WHERE name = 'u'").fetchone() == (0,)


async def test_writes_submitted_together_share_commits(tmp_path: Path) -> None:
    commits: list[int] = []
    store = Database(tmp_path / "x.sqlite", TABLE, settle=lambda _: commits.append(1))
    await asyncio.gather(*(store.write(put(n)) for n in range(200)))
    assert store.read(numbers) == list(range(200))
    assert len(commits) < 100
    await store.close()


async def test_one_failing_write_of_a_group_fails_alone(tmp_path: Path) -> None:
    store = Database(tmp_path / "x.sqlite", TABLE)
    results = await asyncio.gather(*(store.write(put(n // 2)) for n in range(20)), return_exceptions=True)
    assert [isinstance(each, sqlite3.IntegrityError) for each in results] == [False, True] * 10
    assert store.read(numbers) == list(range(10))
    await store.close()


async def test_a_caller_that_gave_up_leaves_the_others_waiting_in_peace(tmp_path: Path) -> None:
    store = Database(tmp_path / "x.sqlite", TABLE)
    tasks = [asyncio.create_task(store.write(put(n))) for n in range(10)]
    await asyncio.sleep(0)
    tasks[3].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [n for n, each in enumerate(results) if each == 1] == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    await store.close()


async def test_a_write_is_visible_to_reads_as_soon_as_it_has_returned(tmp_path: Path) -> None:
    store = Database(tmp_path / "x.sqlite", TABLE)
    for n in range(50):
        await store.write(put(n))
        assert store.read(numbers)[-1] == n and (await store.read_aside(numbers))[-1] == n
    await store.close()


async def test_reads_cannot_write(tmp_path: Path) -> None:
    store = Database(tmp_path / "x.sqlite", TABLE)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        store.read(put(1))
    await store.close()


async def test_closing_commits_what_was_submitted_and_leaves_one_file(tmp_path: Path) -> None:
    store = Database(tmp_path / "x.sqlite", TABLE)
    tasks = [asyncio.create_task(store.write(put(n))) for n in range(50)]
    await asyncio.sleep(0)
    await store.close()
    await store.close()
    assert await asyncio.gather(*tasks) == [1] * 50
    assert sorted(os.listdir(tmp_path)) == ["x.sqlite"]
    with pytest.raises(RuntimeError, match="closed"):
        await store.write(put(99))
    with closing(sqlite3.connect(tmp_path / "x.sqlite")) as raw:
        assert len(numbers(raw)) == 50


async def test_two_processes_may_write_to_the_same_folder(tmp_path: Path) -> None:
    one, two = SqliteMirror.open(tmp_path), SqliteMirror.open(tmp_path)
    await asyncio.gather(*(mirror.apply([write(n)]) for n in range(100) for mirror in (one, two)))
    assert (await one.list(Query("charge"))).total == (await two.list(Query("charge"))).total == 100
    assert len(await two.search("word", ["charge"], 200)) == 100
    await one.close()
    assert (await two.apply([write(100)])) == [Applied.APPLIED]
    await two.close()


async def test_two_objects_whose_places_collide_are_both_kept_in_their_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.stores.sqlite_upsert.crc32", lambda _: 2**32 - 1)
    mirror = SqliteMirror.open(tmp_path)
    same = [Write("charge", f"ch_{n}", 1_700_000_000, 5, b"%d" % n, words=f"w{n}") for n in range(4)]
    before = Write("charge", "ch_before", 1_699_999_999, 5, b"before")
    assert await mirror.apply([*same, before, *same]) == [Applied.APPLIED] * 5 + [Applied.DUPLICATE] * 4
    assert (await mirror.list(Query("charge"))).bodies[-1] == b"before"
    assert (await mirror.list(Query("charge", created_from=1_700_000_000))).total == 4
    assert [each.id for each in await mirror.search("w3", ["charge"], 9)] == ["ch_3"]
    await mirror.close()


@pytest.mark.requirement("AB-163")
@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit SET entry = '{}'", "DELETE FROM audit", "REPLACE INTO audit VALUES ('aud_1', '{}')", "UPDATE audit SET id = 'x'"],
)
async def test_the_file_itself_refuses_to_change_an_audit_row(tmp_path: Path, statement: str) -> None:
    audit = SqliteAuditLog.open(tmp_path)
    row = {"id": "aud_1", "at": "now", "operation": "get_charge", "actor": "key_a"}
    await audit.append(row)
    with closing(sqlite3.connect(tmp_path / "audit.sqlite")) as raw, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        raw.execute(statement)
    assert await audit.list(limit=9) == [row]
    await audit.close()


KILLED = """
import asyncio, sys
from pathlib import Path
from shared.stores.protocols import Write
from shared.stores.sqlite_mirror import SqliteMirror

async def one(mirror, worker):
    for n in range(10_000):
        id = f"ch_{worker}_{n}"
        await mirror.apply([Write("charge", id, 1_700_000_000 + n, 1, b"{}", "succeeded", words="word")])
        print(id, flush=True)

async def main():
    mirror = SqliteMirror.open(Path(sys.argv[1]))
    await asyncio.gather(*(one(mirror, worker) for worker in range(8)))

asyncio.run(main())
"""


def test_what_was_answered_survives_a_kill_and_the_roll_up_and_the_index_agree_with_it(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    answered = [process.stdout.readline().strip() for _ in range(400)]
    process.kill()
    answered += process.stdout.read().split("\n")[:-1]
    process.stdout.close()
    process.wait()

    async def look() -> None:
        mirror = SqliteMirror.open(tmp_path)
        for id in answered:
            assert await mirror.get("charge", id) is not None
        listed = await mirror.list(Query("charge", limit=100_000))
        assert len(listed.bodies) == listed.total == len(await mirror.search("word", ["charge"], 100_000)) >= len(answered)
        await mirror.close()

    asyncio.run(look())


async def test_a_read_that_walks_much_leaves_the_event_loop_to_others_and_tells_the_same(tmp_path: Path) -> None:
    mirror = SqliteMirror.open(tmp_path)
    await mirror.apply([replace(write(n), created=n * 86_400 + 5, status="rare" if n == 7 else "succeeded") for n in range(2_500)])
    aside: list[str] = []
    mirror._file.read_aside = lambda work, read=mirror._file.read_aside: aside.append("aside") or read(work)  # type: ignore[method-assign]
    for query, total in [
        (Query("charge", customer="cus_1"), 2_500),
        (Query("charge", customer="cus_1", status="rare"), 1),
        (Query("charge", created_from=86_400), 2_499),
        (Query("charge", created_from=86_400, status="rare"), 1),
    ]:
        aside.clear()
        page = await mirror.list(query)
        assert page.total == total and len(page.bodies) == min(total, 10)
        assert aside == ([] if query.status and not query.customer else ["aside"])
    assert len(await mirror.totals("charge", 0)) == 2_500
    assert len(await mirror.totals("charge", 0, 9)) == 10
    await mirror.close()


# Search for a word with which very many begin


@pytest.mark.parametrize("lists", [2, 4, sqlite_search.PREFIXES])
@pytest.mark.parametrize("looked_at", [1, 40, 500])
async def test_a_surname_with_many_addresses_is_found_newest_first_however_the_index_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lists: int, looked_at: int
) -> None:
    """Also in a file whose index was made with shorter lists, and where the newest with the same first letters are others."""
    monkeypatch.setattr(sqlite_search, "PREFIXES", lists)
    mirror = SqliteMirror.open(tmp_path)
    people = [
        *(f"Ann Adamson adamson{n}@example.com" if n % 3 else f"Bob Adamson-Smith adamsons{n}@example.com" for n in range(120)),
        *(f"Ann Adamsohn adamsohn{n}@example.com" for n in range(60)),  # the newest
    ]
    await mirror.apply([replace(write(n), words=words) for n, words in enumerate(people)])
    await mirror.close()
    monkeypatch.undo()
    monkeypatch.setattr(sqlite_search, "LOOKED_AT", looked_at)
    mirror = SqliteMirror.open(tmp_path)
    for text, expected in [
        ("adamson", range(120)),
        ("Adamson ann", (n for n in range(120) if n % 3)),
        ("adamson adamsons", (n for n in range(120) if not n % 3)),
        ("bob adamson-smith", (n for n in range(120) if not n % 3)),
        ("adamso", range(180)),
        ("adamsohn", range(120, 180)),
        ("adamson11", (n for n in range(120) if str(n).startswith("11") and n % 3)),
        ("ann.adamson", (n for n in range(120) if n % 3)),
        ("adamson.ann", ()),
        ("adamsonx", ()),
        ("zoe adamson", ()),
    ]:
        newest = [f"ch_{n}" for n in sorted(expected, reverse=True)]
        for limit in (1, 20, 200):
            assert [each.id for each in await mirror.search(text, ["charge"], limit)] == newest[:limit], (text, limit)
    await mirror.close()


# Who may read


@pytest.mark.parametrize("name", STORES)
def test_the_files_of_a_store_are_their_owners_alone_whatever_they_were_before(tmp_path: Path, name: str) -> None:
    opened: list[Any] = []
    before = os.umask(0)
    try:
        for _ in range(2):
            opened.append(STORES[name](tmp_path))
            modes = {each.name: each.stat().st_mode & 0o777 for each in tmp_path.iterdir()}
            assert modes == dict.fromkeys([f"{name}.sqlite", f"{name}.sqlite-shm", f"{name}.sqlite-wal"], 0o600)
            for each in tmp_path.iterdir():  # as they are left by a process that was killed, of a version that knew no better
                each.chmod(0o644)
    finally:
        os.umask(before)
        for store in opened:
            asyncio.run(store.close())


# Expiry


async def test_a_record_whose_time_is_over_is_there_for_nobody_and_its_id_is_free(tmp_path: Path) -> None:
    now = 1_800_000_000.0
    records = SqliteRecords.open(tmp_path, lambda: now)
    ended = {"key_id": "k", "ended": now}
    over, changed, other = [await records.insert(*where, ended) for where in (("claims", "a"), ("claims", "b"), ("keys", "a"))]
    now += DAY - 1
    changed = await records.replace("claims", changed, ended | {"n": 2})
    assert await records.find("claims") == [changed, over]
    now += 1
    assert await records.get("claims", "a") is None and await records.find("claims", {"key_id": "k"}) == [changed]
    with pytest.raises(Changed):
        await records.replace("claims", over, {})
    again = await records.insert("claims", "a", {"n": 3})
    assert again.version == 1 and await records.get("claims", "a") == again and await records.get("keys", "a") == other
    with pytest.raises(Exists):
        await records.insert("claims", "a", {})
    await records.close()


async def test_a_claim_stays_until_it_has_ended_and_a_day_longer(tmp_path: Path) -> None:
    now = 1_800_000_000.0
    records = SqliteRecords.open(tmp_path, lambda: now)
    still, ending, reopened = [await records.insert("claims", id, {"attempt": "att_1"}) for id in ("still", "ending", "reopened")]
    now += 100 * DAY
    assert await records.purge(10) == 0 and len(await records.find("claims")) == 3
    ending = await records.replace("claims", ending, ending.document | {"ended": now})
    reopened = await records.replace("claims", reopened, reopened.document | {"ended": now})
    now += DAY - 1
    reopened = await records.replace("claims", reopened, {"attempt": "att_2"})
    assert await records.get("claims", "ending") == ending
    now += 1
    assert await records.get("claims", "ending") is None and await records.purge(10) == 1
    now += 100 * DAY
    assert await records.find("claims") == [still, reopened]
    await records.close()


async def test_what_expired_is_deleted_in_small_batches_oldest_first_and_gives_its_place_back(tmp_path: Path) -> None:
    now = 1_800_000_000.0
    records = SqliteRecords.open(tmp_path, lambda: now)
    for n in range(25):
        now += 1
        await records.insert("events", f"evt_{n:02}", {"type": "x"})
    await records.insert("keys", "k1", {})
    now += 30 * DAY - 4.5
    assert len(await records.find("events")) == 5
    assert [await records.purge(8) for _ in range(4)] == [8, 8, 4, 0]
    assert [each.id for each in await records.find("events")] == [f"evt_{n}" for n in (24, 23, 22, 21, 20)]
    assert await records.get("keys", "k1") is not None
    await records.close()
    with closing(sqlite3.connect(tmp_path / "records.sqlite")) as raw:
        assert raw.execute("SELECT count(*) FROM records").fetchone() == (6,)
        (plan,) = raw.execute(f"EXPLAIN QUERY PLAN {PURGE}", (0, 1)).fetchall()[2:3]
        assert "by_expiry" in str(plan) and not [row for row in raw.execute(f"EXPLAIN QUERY PLAN {PURGE}", (0, 1)) if "TEMP" in str(row)]


async def test_records_from_before_there_was_expiry_have_their_whole_time_before_them(tmp_path: Path) -> None:
    old = Database(tmp_path / "records.sqlite", (MIGRATION,))
    rows = [("events",), ("keys",), ("claims",)]
    await old.write(lambda connection: connection.executemany("INSERT INTO records VALUES (?, 'a', 1, '{}')", rows).rowcount)
    await old.close()
    now = time.time()
    records = SqliteRecords.open(tmp_path, lambda: now)
    now += 30 * DAY - 60
    assert await records.get("events", "a") is not None
    now += 120
    assert await records.get("events", "a") is None and await records.get("keys", "a") is not None
    assert await records.get("claims", "a") is not None, "nobody knows whether it has ended"
    assert await records.purge(10) == 1
    await records.close()


async def test_claims_that_were_to_expire_before_they_ended_stay_and_those_that_had_expired_stay_gone(tmp_path: Path) -> None:
    now = time.time()
    old = Database(tmp_path / "records.sqlite", (MIGRATION, EXPIRES))
    rows = [
        ("claims", "open", "{}", now + 60),
        ("claims", "ended", '{"ended": 1}', now + 60),
        ("claims", "over", "{}", now - 60),
        ("events", "e", "{}", now + 60),
    ]
    await old.write(lambda connection: connection.executemany("INSERT INTO records VALUES (?, ?, 1, ?, ?)", rows).rowcount)
    await old.close()
    records = SqliteRecords.open(tmp_path, lambda: now)
    assert [each.id for each in await records.find("claims")] == ["open", "ended"]
    now += 100 * DAY
    assert [each.id for each in await records.find("claims")] == ["open"] and await records.get("events", "e") is None
    await records.close()


# Finding


@pytest.mark.parametrize(
    ("where", "index"),
    [
        ({"due": "yes"}, "by_due"),
        ({"state": "unknown"}, "by_state"),
        ({"key_id": "k"}, "by_key_id"),
        ({"state": "a", "due": "yes"}, "by_due"),
    ],
)
@pytest.mark.parametrize("after", [None, "att_9"])
async def test_a_field_is_found_in_its_index_which_has_the_order_too(
    tmp_path: Path, where: dict[str, str], index: str, after: str | None
) -> None:
    records = records_of(tmp_path)
    asked: list[str] = []
    records._file._reader.set_trace_callback(asked.append)
    await records.find("attempts", where, after=after)
    await records.close()
    (statement,) = [each for each in asked if each.startswith("SELECT")]
    with closing(sqlite3.connect(tmp_path / "records.sqlite")) as raw:
        plan = [row[-1] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}")]
    assert plan == [f"SEARCH records USING INDEX {index} (collection=? AND <expr>=?{' AND id<?' if after else ''})"], (
        "and nothing is sorted"
    )


@pytest.mark.requirement("SC-105")
@pytest.mark.parametrize("name", sqlite_audit.INDEXED)
async def test_every_filter_of_the_audit_that_people_use_reads_along_an_index(tmp_path: Path, name: str) -> None:
    audit = sqlite_audit.SqliteAuditLog.open(tmp_path)
    conditions, values = equal("entry", {name: "x"})
    statement = f"EXPLAIN QUERY PLAN SELECT entry FROM audit WHERE {conditions[0]} AND id < ? ORDER BY id DESC LIMIT 9"
    plan = " ".join(str(line[3]) for line in audit._file.read(lambda connection: connection.execute(statement, (*values, "~")).fetchall()))
    await audit.close()
    assert "USING INDEX by_" in plan and "SCAN" not in plan and "TEMP B-TREE" not in plan, plan


async def test_an_audit_file_of_before_gets_its_index_by_correlation(tmp_path: Path) -> None:
    old = Database(tmp_path / "audit.sqlite", (sqlite_audit.MIGRATION,))
    entry = '{"id":"aud_1","at":"x","operation":"get_charge","actor":"key_a","correlation_id":"%s"}' % ("c" * 32)
    await old.write(lambda connection: connection.execute("INSERT INTO audit VALUES ('aud_1', ?)", (entry,)).rowcount)
    await old.close()
    audit = sqlite_audit.SqliteAuditLog.open(tmp_path)
    looked = await audit.look(limit=9, where={"correlation_id": "c" * 32})
    await audit.close()
    assert [row["id"] for row in looked.rows] == ["aud_1"]

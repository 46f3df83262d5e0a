"""Changing a record by compare-and-set: the one loop for every collection, which knows its own write again when the answer to it was lost."""

from collections.abc import Callable, Mapping
from typing import Any

from shared.stores.protocols import Changed, Exists, Record, Records

type Document = dict[str, Any]
type Turn = Callable[[Document], Mapping[str, Any] | None]


async def insert_once(records: Records, collection: str, id: str, document: Mapping[str, Any]) -> Record:
    """The record as it stands. Raises `Exists` where another document is there, and what the store raised where it is not known.

    A client repeats an insert whose answer was lost, and a caller may: so an equal document is this very write. Whoever must tell two equal
    writes apart puts something drawn by chance into the document.
    """
    wanted = dict(document)
    try:
        return await records.insert(collection, id, wanted)
    except Exists:
        if (there := await records.get(collection, id)) is not None and there.document == wanted:
            return there
        raise
    except Exception:
        if (there := await _read_again(records, collection, id)) is not None and there.document == wanted:
            return there
        raise


async def replace_once(records: Records, collection: str, record: Record, document: Mapping[str, Any]) -> Record:
    """The record after the change. Raises `Changed` where another document is there, and what the store raised where it is not known."""
    wanted = dict(document)
    try:
        return await records.replace(collection, record, wanted)
    except Changed:
        if _is_next(there := await records.get(collection, record.id), record, wanted):
            return there  # pyright: ignore[reportReturnType]
        raise
    except Exception:
        if _is_next(there := await _read_again(records, collection, record.id), record, wanted):
            return there  # pyright: ignore[reportReturnType]
        raise


async def change(records: Records, collection: str, id: str, turn: Turn, known: Record | None = None) -> Record | None:
    """Replaces a document by what `turn` makes of it (of an empty one where there is none), again where somebody else came first.

    None from `turn` leaves it, and answers None. `known` is the record as it was read a moment ago, which saves a reading.

    Two that make the very same document of the same version at once are taken for one: a `turn` that counts also writes what is its own
    alone, as a name or something drawn by chance.
    """
    record = known or await records.get(collection, id)
    while True:
        wanted = turn(dict(record.document) if record else {})
        if wanted is None:
            return None
        try:
            if record is None:
                return await insert_once(records, collection, id, wanted)
            return await replace_once(records, collection, record, wanted)
        except (Changed, Exists):
            record = await records.get(collection, id)


def _is_next(there: Record | None, before: Record, wanted: Document) -> bool:
    return there is not None and there.version == before.version + 1 and there.document == wanted


async def _read_again(records: Records, collection: str, id: str) -> Record | None:
    try:
        return await records.get(collection, id)
    except Exception:
        return None

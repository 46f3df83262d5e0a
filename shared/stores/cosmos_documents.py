"""The document of a mirrored object, and what a write makes of it: pure functions, without the engine."""

import base64
import re
import zlib
from collections.abc import Sequence
from typing import Any
from zlib import crc32

from shared.stores.cosmos import Document, name
from shared.stores.precedence import There, judge, moment
from shared.stores.protocols import Applied, Stored, Write
from shared.stores.words import indexed, phrases

SHIFT = 31
PREFIX = 12  # letters of a word's longest beginning in the index; what is typed beyond them is compared with the text
MOST_WORDS = 64  # different words of an object that are indexed
LARGEST = 2**53 - 1  # the engine's numbers are floating point: beyond this they are not exact
_KIND = re.compile(r"[a-z][a-z_]{0,39}")

# What lists and totals know of an object: status, customer, currency, amount, refunded. None stands for not being there.
type Facts = list[Any] | None


def check(write: Write) -> None:
    """Refuses what the mirror cannot hold before anything is written."""
    if not _KIND.fullmatch(write.kind):
        raise ValueError("A kind is a lower-case word.")
    if not 0 <= write.created < 2**32:
        raise ValueError("The time of creation is not an epoch second.")
    if any(abs(number or 0) > LARGEST for number in (write.amount, write.refunded, write.stamp)):
        raise ValueError("A number is too large to be kept exactly.")


def key(kind: str, id: str) -> str:
    """The id of an object's document, which is its partition key too."""
    return name(kind, id)


def position(created: int, id: str) -> int:
    """Where an object stands in the lists: the second in which it was made, then a hash of its id."""
    return created << SHIFT | crc32(id.encode("utf-8", "surrogatepass")) >> 1


def sortable(place: int) -> str:
    """A position as text of one length, since the engine's numbers cannot hold it."""
    return f"{place:019d}"


def facts(document: Document | None) -> Facts:
    if document is None or document["deleted"]:
        return None
    return [document[field] for field in ("status", "customer", "currency", "amount", "refunded")]


def stored(document: Document) -> Stored:
    return Stored(document["kind"], document["oid"], body(document), document["version"], document["stamp"], document["deleted"])


def body(document: Document) -> bytes:
    return zlib.decompress(base64.b85decode(document["body"]))


def advance(document: Document | None, write: Write, lane: int = 0) -> tuple[Applied, Document | None]:
    """What becomes of a write to what is there, and the document after it (the same one where nothing changes).

    A change that lists or totals must follow is added to the document's `pending`, with the lane in which it is counted.
    """
    if document is None:
        return (Applied.CONFLICT, None) if write.expects else (Applied.APPLIED, _written(None, write, lane))
    answer = judge(_there(document), write, same=body(document) == write.body)
    if answer is Applied.APPLIED:
        return answer, _written(document, write, lane)
    if answer is Applied.DUPLICATE and write.stamp > document["stamp"]:
        # Known true at a later moment now: an event from in between, coming late, is older than what is here.
        return answer, document | {"stamp": write.stamp, "version": document["version"] + 1}
    return answer, document


def _there(document: Document) -> There:
    return There(document["created"], document["stamp"], document["version"], document["deleted"])


def _written(before: Document | None, write: Write, lane: int) -> Document:
    text = "" if write.deleted else indexed(write.id, write.words)
    created = moment(_there(before) if before else None, write)
    id = key(write.kind, write.id)
    document: Document = {
        "id": id,
        "pk": id,
        "kind": write.kind,
        "oid": write.id,
        "created": created,
        "position": sortable(position(created, write.id)),
        "status": write.status or "",
        "customer": write.customer,
        "currency": write.currency or "",
        "amount": write.amount or 0,
        "refunded": write.refunded or 0,
        "stamp": max(write.stamp, before["stamp"]) if before else write.stamp,
        "version": before["version"] + 1 if before else 1,
        "deleted": write.deleted,
        "text": text,
        "words": beginnings(text.split()),
        "body": _packed(write.body),
        "pending": list(before["pending"]) if before else [],
    }
    if before and "_etag" in before:
        document["_etag"] = before["_etag"]
    token, was, now = f"{id}@{document['version']}", facts(before), facts(document)
    if before and was is not None and created != before["created"]:  # another object under the same id
        document["pending"].append({"token": f"{token}-", "lane": lane, "created": before["created"], "before": was, "after": None})
        was = None
    if was != now:
        document["pending"].append({"token": token, "lane": lane, "created": created, "before": was, "after": now})
    return marked(document)


def marked(document: Document) -> Document:
    """`unsettled` stands on a document only while it has something pending, so that the index finds just those."""
    if document["pending"]:
        document["unsettled"] = True
    else:
        document.pop("unsettled", None)
    return document


def _packed(body: bytes) -> str:
    """Deflated, because request units go by size."""
    return base64.b85encode(zlib.compress(body, 6)).decode()


def beginnings(words: Sequence[str]) -> list[str]:
    """Every beginning, of up to `PREFIX` letters, of the first `MOST_WORDS` different words."""
    different = list(dict.fromkeys(words))[:MOST_WORDS]
    return sorted({word[:length] for word in different for length in range(1, min(len(word), PREFIX) + 1)})


def asked(text: str) -> tuple[list[str], list[list[str]]]:
    """What the index is asked for, the longest beginnings first, and the phrases that a found text must hold."""
    sought = phrases(text)
    terms = {run[:PREFIX] for runs in sought for run in runs}
    return sorted(terms, key=lambda term: (-len(term), term)), sought

"""What every audit log does: it takes rows and gives them back."""

import asyncio

import pytest

from shared.stores.protocols import AuditLog, Exists


def row(n: int, **facts: object) -> dict[str, object]:
    return {"id": f"aud_{n:03}", "at": "2026-01-01T00:00:00Z", "operation": "get_charge", "actor": "key_a"} | facts


async def test_rows_come_back_newest_first_page_by_page(audit: AuditLog) -> None:
    await asyncio.gather(*(audit.append(row(n, count=n)) for n in range(20)))
    assert [each["id"] for each in await audit.list(limit=3)] == ["aud_019", "aud_018", "aud_017"]
    assert await audit.list(limit=2, after="aud_002") == [row(1, count=1), row(0, count=0)]


async def test_rows_are_found_by_what_they_say(audit: AuditLog) -> None:
    await audit.append(row(1))
    await audit.append(row(2, operation="create_refund", attempt="att_1"))
    await audit.append(row(3, operation="create_refund", actor="key_b"))
    assert [each["id"] for each in await audit.list(limit=9, where={"operation": "create_refund"})] == ["aud_003", "aud_002"]
    assert [each["id"] for each in await audit.list(limit=9, where={"operation": "create_refund", "actor": "key_b"})] == ["aud_003"]
    assert [each["id"] for each in await audit.list(limit=9, where={"attempt": "att_1"})] == ["aud_002"]
    assert await audit.list(limit=9, where={"operation": "create_refund"}, after="aud_002") == []


@pytest.mark.requirement("AB-163")
async def test_a_row_that_is_there_cannot_be_written_again(audit: AuditLog) -> None:
    await audit.append(row(1, decision="denied"))
    with pytest.raises(Exists):
        await audit.append(row(1, decision="allowed"))
    assert await audit.list(limit=9) == [row(1, decision="denied")]


@pytest.mark.parametrize("missing", ["id", "at", "operation", "actor"])
async def test_a_row_that_does_not_say_who_what_and_when_is_refused(audit: AuditLog, missing: str) -> None:
    with pytest.raises(ValueError, match=missing):
        await audit.append({name: value for name, value in row(1).items() if name != missing})
    assert await audit.list(limit=9) == []

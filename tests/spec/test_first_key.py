"""How the first owner of a new deployment gets in, and that nobody gets in that way a second time."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.actor import Origin
from shared.context import Context
from shared.errors import BillyError
from shared.operations.first_key import SECRET, adopt_first_key
from shared.people.keys import find_key, make_key
from shared.settings import Settings
from shared.surfaces.authenticate import authenticate
from shared.wiring import close_context, make_context

DRAWN = "billy_" + "q" * 43


@pytest.fixture
async def fresh(tmp_path: Path, stores: dict[str, Any]) -> AsyncIterator[Context]:
    context = await make_context(Settings(home=tmp_path / "billy", **stores))
    yield context
    await close_context(context)


async def test_the_key_that_the_deployer_drew_becomes_the_owners(fresh: Context) -> None:
    assert not await adopt_first_key(fresh)
    await fresh.secrets.set(SECRET, DRAWN + "\n")
    assert await adopt_first_key(fresh)
    found = await find_key(fresh, DRAWN)
    assert found and (found["role"], found["name"]) == ("owner", "First owner")
    given, row = await fresh.audit.list(limit=9)
    assert [(each["operation"], each["decision"]) for each in (row, given)] == [("create_key", "allowed"), ("create_key", "given")]
    for each in (row, given):
        assert (each["object"], each["about"]["role"], each["about"]["expires"]) == (found["key_id"], "owner", None) and DRAWN not in str(
            each
        )


async def test_it_is_taken_once_and_never_where_a_key_was_made_before(fresh: Context) -> None:
    await make_key(fresh, "somebody", "read_only", None, "system")
    await fresh.secrets.set(SECRET, DRAWN)
    assert not await adopt_first_key(fresh)
    assert await find_key(fresh, DRAWN) is None


@pytest.mark.parametrize("length", [43, 44, 64, 86, 128])
async def test_whatever_key_is_adopted_is_let_in(fresh: Context, length: int) -> None:
    """Who draws more than 256 bits gets in with them."""
    drawn = "billy_" + "-q" * (length // 2) + "q" * (length % 2)
    await fresh.secrets.set(SECRET, f"\ufeff{drawn}\r\n")
    assert await adopt_first_key(fresh)
    assert (await authenticate(fresh, f"Bearer {drawn}", Origin("rest"))).role == "owner"
    for other in (drawn + "q", drawn[:-1]):
        with pytest.raises(BillyError, match="no key that works"):
            await authenticate(fresh, f"Bearer {other}", Origin("rest"))


@pytest.mark.parametrize(
    "weak",
    ["", "secret", "billy_short", "billy_" + "q" * 42, "billy_" + "q" * 129, '"' + DRAWN + '"', f"{DRAWN} {DRAWN}", "sk_live_" + "q" * 60],
)
async def test_what_could_be_guessed_is_refused_and_not_shown(fresh: Context, weak: str) -> None:
    await fresh.secrets.set(SECRET, weak)
    with pytest.raises(BillyError) as refused:
        await adopt_first_key(fresh)
    assert not weak or weak not in f"{refused.value!r}"
    assert await fresh.records.find("keys", limit=1) == []

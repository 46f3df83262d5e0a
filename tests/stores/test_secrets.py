"""What every store of secrets does, and what the file on a laptop does besides."""

import os
import stat
from pathlib import Path

import pytest

from shared.errors import BillyError
from shared.stores.local_secrets import LocalSecrets
from shared.stores.protocols import Secrets


async def test_a_secret_is_read_back_and_replaced(secrets: Secrets) -> None:
    assert await secrets.get("webhook") is None
    await secrets.set("webhook", "whsec_1")
    await secrets.set("stripe-api-key", "rk_test_ü\n")
    await secrets.set("webhook", "whsec_2")
    assert (await secrets.get("webhook"), await secrets.get("stripe-api-key")) == ("whsec_2", "rk_test_ü\n")


async def test_a_secret_shows_in_no_text_of_the_store(secrets: Secrets) -> None:
    await secrets.set("webhook", "whsec_1")
    await secrets.get("webhook")
    assert "whsec_1" not in repr(secrets) + str(secrets) + f"{secrets}"


async def test_the_file_is_readable_by_its_owner_alone_and_survives_a_restart(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        await LocalSecrets.open(tmp_path / "new").set("webhook", "whsec_1")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new" / "secrets.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert [each.name for each in (tmp_path / "new").iterdir()] == ["secrets.json"]
    assert await LocalSecrets.open(tmp_path / "new").get("webhook") == "whsec_1"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
async def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    await LocalSecrets.open(tmp_path).set("webhook", "whsec_1")
    (tmp_path / "secrets.json").chmod(mode)
    for call in (LocalSecrets.open(tmp_path).get("webhook"), LocalSecrets.open(tmp_path).set("webhook", "x")):
        with pytest.raises(BillyError) as refused:
            await call
        assert refused.value.code == "unavailable" and "chmod" in (refused.value.next or "")


async def test_a_change_by_another_process_is_seen(tmp_path: Path) -> None:
    here, there = LocalSecrets.open(tmp_path), LocalSecrets.open(tmp_path)
    await here.set("webhook", "whsec_1")
    await there.set("webhook", "whsec_2")
    assert await here.get("webhook") == "whsec_2"


async def test_a_broken_file_is_told_without_its_text(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").touch(0o600)
    (tmp_path / "secrets.json").write_text('{"webhook": "whsec_1"')
    with pytest.raises(BillyError) as refused:
        await LocalSecrets.open(tmp_path).get("webhook")
    assert "whsec_1" not in f"{refused.value!r}" and refused.value.__suppress_context__

"""What wakes somebody, and that nothing does while all is well."""

import json

import pytest

from functions.alarms import raise_alarms
from shared import wiring
from shared.operations.alarms import ATTEMPTS_UNSETTLED, KINDS, MIRROR_OLD, OLDEST, PATIENCE, Alarm, alarms
from shared.road.catalogue import BY_NAME
from shared.road.settling import settle_attempts
from tests.spec.conftest import TRACE, Billy, invocation_of


async def synchronised(billy: Billy) -> None:
    for kind in KINDS:
        await billy.context.records.insert("sync", f"kind:{kind}", {"complete": True, "as_of": int(billy.clock.now())})


async def test_a_mirror_that_was_never_filled_raises_an_alarm(billy: Billy) -> None:
    assert await alarms(billy.context) == [Alarm(MIRROR_OLD, {"incomplete_kinds": 5, "age_seconds": 0})]


async def test_a_mirror_that_falls_behind_raises_an_alarm_and_one_that_keeps_up_does_not(billy: Billy) -> None:
    await synchronised(billy)
    assert await alarms(billy.context) == []
    billy.clock.offset += OLDEST + 60
    (alarm,) = await alarms(billy.context)
    assert (alarm.event, alarm.facts["incomplete_kinds"]) == (MIRROR_OLD, 0)
    assert OLDEST < alarm.facts["age_seconds"] <= OLDEST + 120


async def test_an_attempt_that_stays_unsettled_raises_an_alarm_until_it_is_settled(billy: Billy) -> None:
    charge = billy.stripe.charge(2_000)
    await billy.know("charge", charge["id"])
    billy.stripe.fault(match="POST /v1/refunds", kind="drop_after", times=9)
    answer = await billy.call("owner", "create_refund", charge=charge["id"], amount=500)
    assert answer.error, answer.body
    billy.stripe.no_faults()
    await synchronised(billy)
    assert await alarms(billy.context) == []
    billy.clock.offset += PATIENCE + 60
    assert await alarms(billy.context) == [Alarm(ATTEMPTS_UNSETTLED, {"count": 1})]
    await settle_attempts(billy.context, BY_NAME)
    assert await alarms(billy.context) == []


async def test_the_timer_says_it_in_the_log(billy: Billy, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(wiring, "_made", billy.context)
    await raise_alarms._function.get_user_function()(None, invocation_of("raise_alarms"))
    ((level, line),) = [(record.levelname, json.loads(record.message)) for record in caplog.records if record.name == "billy"]
    assert line.pop("correlation_id") != TRACE, "what finds a line is drawn by us"
    assert (level, line) == ("WARNING", {"event": MIRROR_OLD, "incomplete_kinds": 5, "age_seconds": 0})

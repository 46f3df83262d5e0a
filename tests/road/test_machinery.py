"""The machinery of the search is right: Stripe's stand-in, the stores in trouble, and processes that die."""

import asyncio
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import stripe

from shared.errors import BillyError
from shared.gateway.client import StripeGateway
from shared.gateway.kinds import API_VERSION, writes_from_event
from shared.settings import Settings
from shared.stores.protocols import Exists
from tests.road import answers
from tests.road.faults import FAULTS, FINE, PRUNED, Fault
from tests.road.faulty import Faulty, Trouble
from tests.road.process import Killed, Process
from tests.road.script import Script
from tests.road.standin import Standin, installed
from tests.road.stores import KINDS, Kind, open_stores
from tests.road.virtual import Clock, run

REFUNDS = "POST /v1/refunds"

type Main = Callable[[Clock, Standin, Script[Fault]], Any]


def history(main: Main, **facts: Any) -> Any:
    """Runs `main` with a stand-in that has one charge of 1,000, `ch_1`, and the script of its faults."""

    async def whole(clock: Clock) -> Any:
        script = Script(FINE)
        standin = Standin(clock.now, script, **facts)
        standin.books.charge(1_000, id="ch_1", payment_intent="pi_1")
        with installed(standin):
            return await main(clock, standin, script)

    return run(whole)


def gateway() -> StripeGateway:
    return StripeGateway("rk_test_machinery00000000000000", Settings())


async def refund(key: str = "att_1", amount: int = 1_000, charge: str = "ch_1", over: StripeGateway | None = None, **more: Any) -> Any:
    """A refund as the gateway asks for one, with the SDK and its three tries: the one place that knows how."""
    params = {"charge": charge, "amount": amount, "metadata": {"billy_attempt": key}, **more}
    value, _ = await (over or gateway())._call("post", "/v1/refunds", params, key)
    return value


def one_try(main: Main, **facts: Any) -> Any:
    """A history of single requests on the wire, without the SDK."""
    return history(main, **facts)


async def post(
    standin: Standin, key: str | None = "k", path: str = "/v1/refunds", form: str = "charge=ch_1&amount=1000", **facts: Any
) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    body, status, told = await standin.send("post", f"https://api.stripe.com{path}", headers, form, **facts)
    return status, orjson.loads(body), told


# Over the real gateway.


def test_the_real_gateway_makes_three_tries_with_one_key_and_the_last_is_a_replay() -> None:
    async def main(clock: Clock, standin: Standin, script: Script[Fault]) -> None:
        script.add(REFUNDS, FAULTS["acted, lost"], FAULTS["acted, lost"])
        made = await refund()
        tries = standin.asked("POST", "/v1/refunds")
        assert [(each.key, each.told, each.replayed) for each in tries] == [
            ("att_1", "lost", False),
            ("att_1", "lost", True),
            ("att_1", "200", True),
        ]
        assert [(each.refund, each.amount, each.metadata, each.key) for each in standin.movements] == [
            (made["id"], 1_000, {"billy_attempt": "att_1"}, "att_1")
        ]
        assert 0.75 < clock.elapsed < 3, "the SDK's own pauses are virtual"

    history(main)


def test_the_real_gateway_gives_up_after_twenty_virtual_seconds_three_times() -> None:
    async def main(clock: Clock, standin: Standin, script: Script[Fault]) -> None:
        script.add(REFUNDS, *[FAULTS["never answers"]] * 3)
        with pytest.raises(BillyError) as lost:
            await refund()
        assert (lost.value.code, lost.value.outcome_unknown) == ("unavailable", True)
        assert [each.told for each in standin.requests] == ["gave up"] * 3
        assert 60 < clock.elapsed < 63
        await standin.quiet()
        assert standin.movements == []

    history(main)


def test_the_real_gateway_reads_charges_refunds_and_balance_transactions() -> None:
    async def main(clock: Clock, standin: Standin, script: Script[Fault]) -> None:
        door = gateway()
        for number in range(3):
            await refund(f"att_{number}", 100, over=door)
        script.add("GET /v1/charges/*", Fault(slow=10))
        charge = await door.retrieve("charge", "ch_1")
        assert (charge.value["amount_refunded"], charge.value["refunded"]) == (300, False)
        assert charge.write.stamp == int(clock.now()) - 10, "when it was asked for, by Stripe's date at its end"
        page = await door.list_page("refund", {"charge": "ch_1", "limit": 2})
        assert [each["metadata"]["billy_attempt"] for each in page.values] == ["att_2", "att_1"] and page.has_more
        page = await door.list_page("refund", {"charge": "ch_1", "limit": 2, "starting_after": page.values[-1]["id"]})
        assert [each["metadata"]["billy_attempt"] for each in page.values] == ["att_0"] and not page.has_more
        assert (await door.list_page("refund", {"charge": "ch_2"})).values == []
        assert (await door.list_events({"limit": 100})).values == []
        movement, _ = await door._call("get", f"/v1/balance_transactions/{charge.value['balance_transaction']}")
        assert (movement["type"], movement["amount"], movement["fee"]) == ("charge", 1_000, 59)
        with pytest.raises(BillyError) as missing:
            await door.retrieve("refund", "re_9")
        assert missing.value.code == "not_found"
        await door.close()

    history(main)


def test_a_dispute_is_listed_by_its_charge_and_holds_the_money() -> None:
    async def main(clock: Clock, standin: Standin, script: Script[Fault]) -> None:
        made = standin.books.dispute("ch_1")
        page = await gateway().list_page("dispute", {"charge": "ch_1"})
        assert [each["id"] for each in page.values] == [made["id"]]
        with pytest.raises(BillyError, match="disputed"):
            await refund()

    history(main)


def test_a_customer_is_made_and_changed() -> None:
    async def main(clock: Clock, standin: Standin, script: Script[Fault]) -> None:
        door = gateway()
        made, _ = await door._call("post", "/v1/customers", {"email": "ann@example.com", "metadata": {"a": "1"}}, "att_1")
        await door._call("post", f"/v1/customers/{made['id']}", {"name": "Ann", "metadata": {"a": "", "b": "2"}}, "att_2")
        found = (await door.retrieve("customer", made["id"])).value
        assert (found["email"], found["name"], found["metadata"]) == ("ann@example.com", "Ann", {"b": "2"})

    history(main)


# Idempotency keys.


def test_a_stored_500_is_replayed_to_the_same_key_and_not_to_another() -> None:
    async def main(clock: Clock, standin: Standin, script: Script[Fault]) -> None:
        script.add(REFUNDS, FAULTS["500 stored"])
        with pytest.raises(BillyError) as failed:
            await refund("att_1")
        assert failed.value.code == "stripe_error"
        assert [(each.status, each.replayed) for each in standin.requests] == [(500, False), (500, True), (500, True)]
        assert (await refund("att_2"))["amount"] == 1_000
        assert len(standin.movements) == 1

    history(main)


def test_a_500_that_was_not_stored_lets_the_next_try_through() -> None:
    async def main(clock: Clock, standin: Standin, script: Script[Fault]) -> None:
        script.add(REFUNDS, FAULTS["500 not stored"])
        await refund()
        assert [(each.status, each.replayed) for each in standin.requests] == [(500, False), (200, False)]

    history(main)


@pytest.mark.parametrize("name", ["429", "401", "403", "page 502 from the edge"])
def test_the_door_stands_before_the_keys(name: str) -> None:
    async def main(clock: Clock, standin: Standin, script: Script[Fault]) -> None:
        script.add(REFUNDS, FAULTS["acted, lost"], FAULTS[name])
        with pytest.raises(stripe.APIConnectionError):
            await post(standin)
        turned_away = await standin.send("post", "https://api.stripe.com/v1/refunds", {"idempotency-key": "k"}, "charge=ch_1&amount=1000")
        assert turned_away[1] == int(name[:3] if name[0] == "4" else 502)
        status, _, headers = await post(standin)
        assert (status, headers["idempotent-replayed"], headers["original-request"]) == (200, "true", standin.requests[0].id)
        assert len(standin.movements) == 1

    one_try(main)


def test_the_same_key_with_other_parameters_or_elsewhere_is_an_error() -> None:
    async def main(clock: Clock, standin: Standin, script: Script[Fault]) -> None:
        await post(standin)
        for path, form in (("/v1/refunds", "charge=ch_1&amount=999"), ("/v1/customers", "name=Ann")):
            status, body, _ = await post(standin, path=path, form=form)
            assert (status, body["error"]["type"]) == (400, "idempotency_error")
        assert (await post(standin))[0] == 200

    one_try(main)


def test_the_same_key_in_progress_is_a_409_and_is_not_stored() -> None:
    async def main(clock: Clock, standin: Standin, script: Script[Fault]) -> None:
        script.add(REFUNDS, FAULTS["acts after 15 s"])
        first = asyncio.create_task(post(standin))
        await asyncio.sleep(1)
        status, body, _ = await post(standin)
        assert (status, body["error"]["code"]) == (409, "idempotency_key_in_use")
        assert (await first)[0] == 200
        assert (await post(standin))[2]["Idempotent-Replayed"] == "true"

    one_try(main)


def test_a_key_is_forgotten_after_a_day_or_when_it_is_pruned() -> None:
    async def main(clock: Clock, standin: Standin, script: Script[Fault]) -> None:
        form = "charge=ch_1&amount=100"
        await post(standin, form=form)
        await asyncio.sleep(86_399)
        await post(standin, form=form)
        assert len(standin.movements) == 1
        await asyncio.sleep(1)
        await post(standin, form=form)
        assert len(standin.movements) == 2
        standin.prune()
        await post(standin, form=form)
        assert len(standin.movements) == 3
        script.add(REFUNDS, PRUNED)
        await post(standin, form=form)
        assert len(standin.movements) == 4

    one_try(main)


@pytest.mark.parametrize("keeps", [True, False])
def test_more_than_is_left_is_refused_and_a_key_keeps_that_where_stripe_does(keeps: bool) -> None:
    async def main(clock: Clock, standin: Standin, script: Script[Fault]) -> None:
        await post(standin, "a", form="charge=ch_1&amount=700")
        status, body, _ = await post(standin, "b", form="charge=ch_1&amount=301")
        assert (status, body["error"]["type"], body["error"]["param"]) == (400, "invalid_request_error", "amount")
        assert (await post(standin, "c", form="charge=ch_1"))[1]["amount"] == 300
        status, body, _ = await post(standin, "d", form="charge=ch_1&amount=1")
        assert (status, body["error"]["code"]) == (400, "charge_already_refunded")
        standin.books.refund_becomes("re_0001", "failed")
        status, _, headers = await post(standin, "d", form="charge=ch_1&amount=1")
        assert (status, "Idempotent-Replayed" in headers) == ((400, True) if keeps else (200, False))

    one_try(main, keeps_refusals=keeps)


@pytest.mark.parametrize(
    "form, code",
    [
        ("charge=ch_1&amount=x", "parameter_invalid_integer"),
        ("charge=ch_1&amount=0", "parameter_invalid_integer"),
        ("charge=ch_1&colour=red", "parameter_unknown"),
        ("amount=1", "parameter_missing"),
    ],
)
def test_parameters_that_it_does_not_take_are_not_kept_under_a_key(form: str, code: str) -> None:
    async def main(clock: Clock, standin: Standin, script: Script[Fault]) -> None:
        for _ in range(2):
            status, body, headers = await post(standin, form=form)
            assert (status, body["error"]["code"], "Idempotent-Replayed" in headers) == (400, code, False)
        assert (await post(standin))[0] == 200

    one_try(main)


def test_a_transfer_is_reversed_where_there_is_one() -> None:
    async def main(clock: Clock, standin: Standin, script: Script[Fault]) -> None:
        assert (await post(standin, "a", form="charge=ch_1&reverse_transfer=true"))[1]["error"]["param"] == "reverse_transfer"
        standin.books.charge(500, id="ch_2", transfer="tr_1")
        assert (await post(standin, "b", form="charge=ch_2&reverse_transfer=true"))[1]["transfer_reversal"] == "trr_1"

    one_try(main)


# Faults, one by one.


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_does_what_its_name_says(name: str) -> None:
    async def main(clock: Clock, standin: Standin, script: Script[Fault]) -> None:
        script.add(REFUNDS, FAULTS[name])
        try:
            await standin.send("post", "https://api.stripe.com/v1/refunds", {"Idempotency-Key": "k"}, "charge=ch_1&amount=1000")
        except stripe.APIConnectionError as broken:
            assert broken.should_retry and standin.requests[0].told in ("lost", "gave up")
        else:
            assert standin.requests[0].told.isdigit()
        given_up = standin.requests[0].told == "gave up"
        assert given_up == (name.endswith(("30 s", "100 s")) or "never answers" in name)
        before = len(standin.movements)
        await standin.quiet()
        acts = name.startswith(("acted", "acts after", "arrives after", "repeated"))
        assert len(standin.movements) == acts
        assert before == (acts and not (given_up and name.startswith(("acts", "arrives")) and not name.startswith("acted")))

    one_try(main)


def test_an_answer_carries_what_stripes_carry() -> None:
    async def main(clock: Clock, standin: Standin, script: Script[Fault]) -> None:
        script.add(REFUNDS, FAULTS["acted, page 502"], FAULTS["acted, page 403 with request id"], FAULTS["429, no retry"])
        told = [
            await standin.send("post", "https://api.stripe.com/v1/refunds", {"Idempotency-Key": "k"}, "charge=ch_1&amount=10")
            for _ in range(4)
        ]
        assert [status for _, status, _ in told] == [502, 403, 429, 200]
        assert [headers.get("request-id") for _, _, headers in told] == [None, "req_000002", "req_000003", "req_000004"]
        assert all(headers["DATE"] == "Fri, 15 Jan 2027 08:00:00 GMT" for _, _, headers in told)
        assert [headers["content-type"] for _, _, headers in told] == ["text/html", "text/html", "application/json", "application/json"]
        assert told[2][2]["stripe-should-retry"] == "false"

    one_try(main)


def test_a_request_that_arrives_late_executes_after_its_caller_has_given_up() -> None:
    async def main(clock: Clock, standin: Standin, script: Script[Fault]) -> None:
        script.add(REFUNDS, Fault(late=200), FAULTS["429, no retry"])
        with pytest.raises(BillyError) as limited:
            await refund()
        assert limited.value.code == "rate_limited"
        assert standin.movements == [] and [each.told for each in standin.requests] == ["gave up", "429"]
        await standin.quiet()
        (moved,) = standin.movements
        assert moved.at == standin.requests[0].arrived == standin.requests[0].at + 200
        assert moved.request == standin.requests[0].id

    history(main)


def test_of_a_late_request_and_the_try_after_it_one_acts() -> None:
    async def main(clock: Clock, standin: Standin, script: Script[Fault]) -> None:
        script.add(REFUNDS, Fault(late=30))
        await refund()
        await standin.quiet()
        assert [(each.told, each.replayed) for each in standin.requests] == [("gave up", True), ("200", False)]
        assert len(standin.movements) == 1

    history(main)


def test_a_proxy_repeats_a_request_and_it_acts_once_unless_the_key_is_gone() -> None:
    async def main(clock: Clock, standin: Standin, script: Script[Fault]) -> None:
        script.add(REFUNDS, Fault(again=5), Fault(again=90_000))
        await post(standin, "a", form="charge=ch_1&amount=100")
        await standin.quiet()
        assert len(standin.movements) == 1
        await post(standin, "b", form="charge=ch_1&amount=100")
        await standin.quiet()
        assert len(standin.movements) == 3

    one_try(main)


def test_calls_interleave_where_pauses_are_drawn() -> None:
    async def main(clock: Clock, standin: Standin, script: Script[Fault]) -> list[str | None]:
        await asyncio.gather(*(post(standin, f"k{n}", form="charge=ch_1&amount=10") for n in range(6)))
        return [each.key for each in standin.movements]

    def order(seed: int) -> list[str | None]:
        import random

        chance = random.Random(seed)
        return history(main, pause=lambda: chance.choice([0.0, 0.003, 0.05]))

    assert order(1) == order(1) != order(2)
    assert sorted(map(str, order(1))) == [f"k{n}" for n in range(6)]


def test_a_script_gives_each_request_what_comes_next_for_it() -> None:
    script = Script("usual").add("POST /v1/*", "first", "second").add("POST /v1/refunds", "third").add("GET *", "fourth")
    asked = ["POST /v1/refunds", "GET /v1/charges/ch_1", "POST /v1/refunds", "POST /v1/refunds", "POST /v1/refunds", "GET /v1/refunds"]
    assert [script(each) for each in asked] == ["first", "fourth", "second", "third", "usual", "usual"]


def test_a_fault_of_ones_own_is_made_of_answers() -> None:
    async def main(clock: Clock, standin: Standin, script: Script[Fault]) -> None:
        script.add(REFUNDS, Fault(said=answers.changed(status=202)), Fault(door=answers.refusal(451, "x", Stripe_Should_Retry="true")))
        assert (await post(standin))[0] == 202
        status, body, headers = await post(standin)
        assert (status, body["error"]["message"], headers["Stripe-Should-Retry"]) == (451, "x", "true")

    one_try(main)


# What Stripe tells later.


@pytest.mark.parametrize("status", ["succeeded", "pending", "requires_action", "failed"])
def test_a_refund_has_the_status_that_is_chosen_and_its_event_shows_it(status: str) -> None:
    async def main(clock: Clock, standin: Standin, script: Script[Fault]) -> None:
        standin.books.refund_status = lambda: status
        made = await refund()
        assert made["status"] == status
        assert standin.books.get("charge", "ch_1")["amount_refunded"] == (0 if status == "failed" else 1_000)
        event = standin.event_of_refund(made["id"])
        assert (event["api_version"], event["type"]) == (API_VERSION, "refund.created")
        assert event["request"] == {"id": standin.requests[0].id, "idempotency_key": "att_1"}
        (write,) = writes_from_event(event)
        assert (write.kind, write.id, write.status, write.stamp) == ("refund", made["id"], status, int(clock.now()))
        standin.books.refund_becomes(made["id"], "failed")
        assert standin.books.get("charge", "ch_1")["amount_refunded"] == 0
        later = standin.event_of_refund(made["id"], "refund.failed")
        assert later["data"]["object"]["status"] == "failed" and later["request"]["idempotency_key"] is None
        assert event["data"]["object"]["status"] == status, "an event is a snapshot"

    history(main)


# Stores in trouble, and processes that die.


def parts(home: Path, clock: Clock, kind: Kind = "sqlite", process: Process | None = None) -> tuple[Any, Script[Trouble]]:
    script = Script(Trouble())
    return Faulty(open_stores(kind, home, clock).records, script, process, "records"), script


def test_a_store_that_is_away_did_nothing_and_one_whose_answer_is_lost_did_it(home: Path) -> None:
    async def main(clock: Clock) -> None:
        records, script = parts(home, clock)
        script.add("records.insert *", Trouble(away=True), Trouble(lost=True), Trouble(lost=True))
        for there in (False, True, True):
            with pytest.raises(BillyError) as away:
                await records.insert("attempts", "a", {})
            assert away.value.code == "unavailable"
            assert (await records.get("attempts", "a") is not None) == there
        with pytest.raises(Exists):
            await records.insert("attempts", "a", {})
        assert clock.elapsed == 0

    run(main)


def test_a_store_is_as_slow_as_is_drawn(home: Path) -> None:
    async def main(clock: Clock) -> None:
        records, script = parts(home, clock)
        script.add("records.get claims", Trouble(before=30, after=60))
        await records.get("attempts", "a")
        assert clock.elapsed == 0
        await records.get("claims", "a")
        assert clock.elapsed == 90

    run(main)


@pytest.mark.parametrize("lands", [True, False])
def test_what_is_on_its_way_lands_or_not_when_its_caller_gives_up(home: Path, lands: bool) -> None:
    async def main(clock: Clock) -> bool:
        records, script = parts(home, clock)
        script.add("records.insert *", Trouble(before=10, lands=lands))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await records.insert("attempts", "a", {})
        await asyncio.sleep(20)
        return await records.get("attempts", "a") is not None

    assert run(main) == lands


def test_every_store_of_the_road_can_be_wrapped(home: Path) -> None:
    async def main(clock: Clock) -> None:
        stores, script = open_stores("sqlite", home, clock), Script(Trouble())
        audit, mirror = Faulty(stores.audit, script, name="audit"), Faulty(stores.mirror, script, name="mirror")
        script.add("audit.append", Trouble(away=True)).add("mirror.apply", Trouble(away=True))
        row = {"id": "aud_1", "at": "x", "operation": "o", "actor": "a"}
        with pytest.raises(BillyError):
            await audit.append(row)
        with pytest.raises(BillyError):
            await mirror.apply([])
        await audit.append(row)
        assert await audit.list(limit=5) == [row] and await mirror.get("charge", "ch_1") is None

    run(main)


async def work(records: Any, seen: list[str]) -> None:
    """Three awaits, which is six steps."""
    await records.insert("attempts", "a", {})
    seen.append("inserted")
    await refund()
    seen.append("refunded")
    await records.insert("outcomes", "a", {})
    seen.append("recorded")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "step, passed, done",
    [(1, 0, "000"), (2, 0, "100"), (3, 1, "100"), (4, 1, "110"), (5, 2, "110"), (6, 2, "111"), (7, 3, "111")],
)
def test_a_killed_process_gets_past_no_further_await(home: Path, kind: Kind, step: int, passed: int, done: str) -> None:
    async def main(clock: Clock, standin: Standin, script: Script[Fault]) -> None:
        process, seen = Process("a", dies_at=step), list[str]()
        records, _ = parts(home, clock, kind)
        try:
            await process.run(work(records, seen))
        except Killed:
            assert step < 7
        else:
            assert (step, process.steps) == (7, 6)
        assert seen == ["inserted", "refunded", "recorded"][:passed]
        there = [await records.get("attempts", "a") is not None, bool(standin.movements), await records.get("outcomes", "a") is not None]
        assert "".join(str(int(each)) for each in there) == done
        assert len(process.trace) == min(step, 6)

    history(main)


def test_the_steps_of_a_process_have_names(home: Path) -> None:
    async def main(clock: Clock, standin: Standin, script: Script[Fault]) -> None:
        process = Process("a")
        await process.run(work(parts(home, clock)[0], []))
        assert process.trace == [
            "records.insert attempts ▸",
            "records.insert attempts ◂",
            "stripe.POST /v1/refunds ▸",
            "stripe.POST /v1/refunds ◂",
            "records.insert outcomes ▸",
            "records.insert outcomes ◂",
        ]
        assert [each.process for each in standin.requests] == ["a"] == [each.process for each in standin.movements]

    history(main)


def test_all_tasks_of_a_killed_process_die_and_those_of_others_go_on(home: Path) -> None:
    async def main(clock: Clock, standin: Standin, script: Script[Fault]) -> None:
        records, _ = parts(home, clock)
        seen: list[str] = []

        async def beat(name: str) -> None:
            while True:
                await asyncio.sleep(1)
                await records.get("sync", name)
                seen.append(name)

        async def parent(name: str) -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(beat(name))
                group.create_task(beat(name))

        one, other = Process("one"), Process("other")
        dying, living = one.start(parent("one")), other.start(beat("other"))
        one.start(beat("one"))  # of which nobody asks what became of it
        await asyncio.sleep(2.5)
        one.kill()
        seen.clear()
        await asyncio.sleep(5)
        assert seen == ["other"] * 5
        with pytest.raises(BaseExceptionGroup) as died:
            await dying
        assert died.group_contains(Killed)
        living.cancel()

    history(main)


def test_a_process_that_dies_while_stripe_answers_never_learns_what_was_done(home: Path) -> None:
    async def main(clock: Clock, standin: Standin, script: Script[Fault]) -> None:
        script.add(REFUNDS, FAULTS["acts after 15 s"])
        process = Process("a")
        task = process.start(refund())
        await asyncio.sleep(1)
        process.kill()
        with pytest.raises(Killed):
            await task
        assert len(standin.movements) == 1 and standin.requests[0].told == "nobody"

    history(main)


def test_what_a_frozen_process_was_about_to_send_leaves_when_it_goes_on(home: Path) -> None:
    async def main(clock: Clock, standin: Standin, script: Script[Fault]) -> None:
        records, _ = parts(home, clock)
        process = Process("a", freezes_at={3: 900})
        beats: list[float] = []

        async def beat() -> None:
            while True:
                await asyncio.sleep(10)
                await records.get("sync", "lease")
                beats.append(clock.elapsed)

        async def other() -> None:
            await asyncio.sleep(5)
            await records.get("sync", "lease")

        renewing, beside = process.start(beat()), Process("b").start(other())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(20):
                await process.run(work(records, []))
        assert clock.elapsed == 20 and beats == [] and beside.done() and standin.movements == []
        await standin.quiet()
        assert [each.at for each in standin.movements] == [standin.requests[0].at + 900]
        await asyncio.sleep(1)
        assert beats == [900]
        renewing.cancel()

    history(main)


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5, 6])
def test_a_process_that_was_frozen_goes_on_where_it_was(home: Path, step: int) -> None:
    async def main(clock: Clock, standin: Standin, script: Script[Fault]) -> None:
        process, seen = Process("a", freezes_at={step: 15}), list[str]()
        await process.run(work(parts(home, clock)[0], seen))
        assert seen == ["inserted", "refunded", "recorded"] and len(standin.movements) == 1
        assert clock.elapsed == (15 if step < 6 else 0), "after its last step it waits for nobody"

    history(main)


@pytest.mark.parametrize("lands", [True, False])
def test_what_a_process_has_sent_lands_or_not_when_it_dies_and_nothing_after_it_does(home: Path, lands: bool) -> None:
    async def main(clock: Clock) -> list[str]:
        process, reached = Process("a"), list[str]()
        there = open_stores("sqlite", home, clock).records
        records = Faulty(there, Script(Trouble()).add("*", Trouble(before=10, lands=lands)), process)

        async def stubborn() -> None:
            try:
                await records.insert("attempts", "a", {})
            except Exception:
                reached.append("caught")
            finally:
                await records.insert("attempts", "b", {})
                reached.append("after")

        task = process.start(stubborn())
        await asyncio.sleep(5)
        process.kill()
        with pytest.raises(Killed):
            await task
        return reached + [id for id in "ab" if await there.get("attempts", id)]

    assert run(main) == (["a"] if lands else [])


# The stores of a history.


@pytest.mark.parametrize("kind", KINDS)
def test_each_history_begins_with_empty_stores(home: Path, kind: Kind) -> None:
    async def main(clock: Clock) -> None:
        stores = open_stores(kind, home, clock)
        assert await stores.records.get("attempts", "a") is None and await stores.records.find("attempts") == []
        assert list(await stores.audit.list(limit=5)) == []
        assert await stores.mirror.get("charge", "ch_1") is None and list(await stores.mirror.search("ann", ["charge"], 5)) == []
        assert list(await stores.mirror.totals("charge")) == []
        await stores.records.insert("attempts", "a", {"state": "started"})
        await stores.audit.append({"id": "aud_1", "at": "x", "operation": "o", "actor": "a"})
        (write,) = writes_from_event(_charge_event())
        await stores.mirror.apply([write])
        assert len(await stores.mirror.search("ann", ["charge"], 5)) == 1

    for _ in range(3):
        run(main)


@functools.cache
def _charge_event() -> dict[str, Any]:
    standin = Standin(lambda: 1_800_000_000.0)
    return standin.event("charge.succeeded", standin.books.charge(1_000, id="ch_1", description="ann"))


@pytest.mark.parametrize("kind", KINDS)
def test_records_expire_on_the_virtual_clock(home: Path, kind: Kind) -> None:
    async def main(clock: Clock) -> None:
        records = open_stores(kind, home, clock).records
        await records.insert("events", "evt_1", {})
        await asyncio.sleep(31 * 86_400)
        assert await records.get("events", "evt_1") is None

    run(main)

"""What every mirror does: the write rules, lists, search and totals."""

import asyncio
from dataclasses import replace

import pytest

from shared.stores.protocols import NEAR, Applied, Mirror, Query, Total, Write

DAY = 86_400
NOON = 20_000 * DAY + DAY // 2


APART = NEAR + 1  # seconds after which Stripe's times tell what was first


def charge(id: str, created: int = NOON, *, stamp: int | None = None, body: str = "first", **facts: object) -> Write:
    defaults: dict[str, object] = {"status": "succeeded", "customer": "cus_a", "currency": "usd", "amount": 1_000, "refunded": 0}
    given = defaults | facts
    return Write("charge", id, created, created if stamp is None else stamp, f'{{"id":"{id}","state":"{body}"}}'.encode(), **given)  # type: ignore[arg-type]


async def ids(mirror: Mirror, query: Query) -> list[str]:
    return [body.split(b'"')[3].decode() for body in (await mirror.list(query)).bodies]


async def found(mirror: Mirror, text: str, *kinds: str, limit: int = 10) -> list[str]:
    return [each.id for each in await mirror.search(text, kinds or ("charge", "customer"), limit)]


# The write rules


async def test_what_was_written_is_read_back_as_it_came(mirror: Mirror) -> None:
    write = charge("ch_1")
    assert await mirror.apply([write]) == [Applied.APPLIED]
    stored = await mirror.get("charge", "ch_1")
    assert stored is not None
    assert (stored.kind, stored.id, stored.body, stored.stamp, stored.deleted) == ("charge", "ch_1", write.body, write.stamp, False)
    assert stored.version == 1


async def test_an_object_of_another_kind_with_the_same_id_is_another_object(mirror: Mirror) -> None:
    await mirror.apply([charge("spring"), replace(charge("spring", body="other"), kind="coupon")])
    assert (await mirror.get("charge", "spring")) != (await mirror.get("coupon", "spring"))
    assert await mirror.get("refund", "spring") is None


async def test_a_newer_state_replaces_an_older_one_and_never_the_other_way_round(mirror: Mirror) -> None:
    old, new = charge("ch_1", stamp=NOON, body="old"), charge("ch_1", stamp=NOON + APART, body="new")
    assert await mirror.apply([new, old]) == [Applied.APPLIED, Applied.STALE]
    stored = await mirror.get("charge", "ch_1")
    assert stored is not None and stored.body == new.body and stored.version == 1


async def test_the_same_state_twice_is_a_duplicate_and_changes_nothing(mirror: Mirror) -> None:
    assert await mirror.apply([charge("ch_1"), charge("ch_1")]) == [Applied.APPLIED, Applied.DUPLICATE]
    stored = await mirror.get("charge", "ch_1")
    assert stored is not None and stored.version == 1
    assert (await mirror.list(Query("charge"))).total == 1


async def test_another_state_of_the_same_second_is_a_tie_and_is_not_written(mirror: Mirror) -> None:
    assert await mirror.apply([charge("ch_1", body="a"), charge("ch_1", body="b")]) == [Applied.APPLIED, Applied.TIE]
    stored = await mirror.get("charge", "ch_1")
    assert stored is not None and b'"a"' in stored.body


@pytest.mark.parametrize("apart", [1, 2, NEAR - 1, NEAR])
async def test_another_state_within_a_minute_is_a_tie_whichever_came_first(mirror: Mirror, apart: int) -> None:
    """An event may be stamped some seconds before what it tells could be read, so the seconds alone do not say what was first."""
    older, newer = charge("ch_1", stamp=NOON, body="a"), charge("ch_1", stamp=NOON + apart, body="b")
    assert await mirror.apply([older, newer]) == [Applied.APPLIED, Applied.TIE]
    await mirror.apply([replace(newer, expects=1)])
    assert await mirror.apply([older]) == [Applied.TIE]


async def test_what_was_sent_before_the_object_was_read_needs_no_asking(mirror: Mirror) -> None:
    await mirror.apply([charge("ch_1", stamp=NOON + 9, body="read")])
    told = charge("ch_1", stamp=NOON, body="told")
    assert await mirror.apply([replace(told, until=NOON + 8)]) == [Applied.STALE]
    assert await mirror.apply([replace(told, until=NOON + 9)]) == [Applied.TIE], "in the same second nobody can tell"


async def test_a_state_confirmed_later_is_not_undone_by_an_event_from_in_between(mirror: Mirror) -> None:
    await mirror.apply([charge("ch_1", stamp=NOON, body="a"), charge("ch_1", stamp=NOON + 2 * APART, body="a")])
    assert await mirror.apply([charge("ch_1", stamp=NOON + APART, body="b")]) == [Applied.STALE]


async def test_a_fetched_state_settles_a_tie_whatever_its_stamp(mirror: Mirror) -> None:
    await mirror.apply([charge("ch_1", stamp=NOON + 5, body="a")])
    fetched = replace(charge("ch_1", stamp=NOON, body="b"), expects=1)
    assert await mirror.apply([fetched]) == [Applied.APPLIED]
    stored = await mirror.get("charge", "ch_1")
    assert stored is not None and stored.body == fetched.body and stored.version == 2
    assert stored.stamp == NOON + 5, "what was known true at a moment stays known"


async def test_a_fetched_state_is_refused_when_somebody_wrote_in_between(mirror: Mirror) -> None:
    await mirror.apply([charge("ch_1", stamp=NOON, body="a"), charge("ch_1", stamp=NOON + APART, body="b")])
    assert await mirror.apply([replace(charge("ch_1", stamp=NOON + 9, body="c"), expects=1)]) == [Applied.CONFLICT]
    assert await mirror.apply([replace(charge("ch_1", stamp=NOON + 9, body="c"), expects=0)]) == [Applied.CONFLICT]
    assert await mirror.apply([replace(charge("ch_9"), expects=3)]) == [Applied.CONFLICT]
    assert await mirror.get("charge", "ch_9") is None


async def test_a_state_fetched_when_nothing_was_there_is_written(mirror: Mirror) -> None:
    assert await mirror.apply([replace(charge("ch_1"), expects=0)]) == [Applied.APPLIED]


async def test_a_deletion_applies_whatever_its_stamp_and_no_later_word_wakes_what_was_deleted(mirror: Mirror) -> None:
    await mirror.apply([charge("ch_1", stamp=NOON + 10, words="Ada Lovelace")])
    grave = Write("charge", "ch_1", 0, NOON, b'{"id":"ch_1","deleted":true}', deleted=True)
    assert await mirror.apply([grave, grave]) == [Applied.APPLIED, Applied.DUPLICATE]
    late = charge("ch_1", stamp=NOON + 99, body="late", words="Ada Lovelace")
    assert await mirror.apply([late, replace(late, expects=1)]) == [Applied.GONE, Applied.CONFLICT]
    stored = await mirror.get("charge", "ch_1")
    assert stored is not None and stored.deleted and stored.body == grave.body
    page = await mirror.list(Query("charge"))
    assert (page.bodies, page.total) == ([], 0)
    assert await found(mirror, "lovelace") == [] and await found(mirror, "ch_1") == []
    assert await mirror.totals("charge") == []


async def test_a_deletion_that_comes_first_keeps_the_object_away(mirror: Mirror) -> None:
    grave = Write("charge", "ch_1", 0, NOON, b"{}", deleted=True)
    assert await mirror.apply([grave, charge("ch_1")]) == [Applied.APPLIED, Applied.GONE]
    assert (await mirror.list(Query("charge"))).total == 0


async def test_what_stripe_still_has_comes_back_from_behind_its_tombstone(mirror: Mirror) -> None:
    """A state that was fetched after the tombstone was read is Stripe's own word that the object exists."""
    grave = Write("charge", "ch_1", 0, NOON + 5, b'{"id":"ch_1","deleted":true}', deleted=True)
    await mirror.apply([grave])
    fetched = replace(charge("ch_1", words="Ada Lovelace"), expects=1)
    assert await mirror.apply([fetched]) == [Applied.APPLIED]
    stored = await mirror.get("charge", "ch_1")
    assert stored is not None and (stored.body, stored.deleted, stored.version) == (fetched.body, False, 2)
    assert await ids(mirror, Query("charge")) == ["ch_1"] and await found(mirror, "lovelace") == ["ch_1"]
    assert await mirror.totals("charge", 0) == [Total(NOON // DAY, "succeeded", "usd", 1, 1_000, 0)]


def coupon(made: int, *, stamp: int | None = None, status: str | None = "active", **facts: object) -> Write:
    body = f'{{"id":"SPRING","made":{made},"status":"{status}"}}'.encode()
    stamp = made if stamp is None else stamp
    return replace(Write("coupon", "SPRING", made, stamp, body, status, words=f"year{made // DAY}", chosen_id=True), **facts)  # type: ignore[arg-type]


def ended(at: int, made: int = 0) -> Write:
    return Write("coupon", "SPRING", made, at, b'{"id":"SPRING","deleted":true}', deleted=True, chosen_id=True)


async def assert_only(mirror: Mirror, made: int) -> None:
    """The mirror holds the coupon of that moment and no trace of another."""
    stored = await mirror.get("coupon", "SPRING")
    assert stored is not None and not stored.deleted and f'"made":{made}'.encode() in stored.body
    page = await mirror.list(Query("coupon"))
    assert (page.bodies, page.total) == ([stored.body], 1)
    assert [(each.day, each.count) for each in await mirror.totals("coupon", 0)] == [(made // DAY, 1)]
    assert [(each.day, each.count) for each in await mirror.totals("coupon")] == [(0, 1)]
    assert (await mirror.list(Query("coupon", created_from=made, created_to=made))).total == 1
    assert (await mirror.list(Query("coupon", created_from=made + 1))).bodies == []
    assert (await mirror.list(Query("coupon", created_to=made - 1))).bodies == []
    assert await found(mirror, "SPRING", "coupon") == ["SPRING"] and await found(mirror, f"year{made // DAY}", "coupon") == ["SPRING"]


AGAIN = NOON + 500 * DAY


async def test_a_chosen_id_that_is_given_again_is_a_question_to_stripe_and_the_new_object_takes_its_own_place(mirror: Mirror) -> None:
    await mirror.apply([coupon(NOON), ended(AGAIN - DAY, NOON)])
    assert await mirror.apply([coupon(NOON, stamp=AGAIN + 9, status="late")]) == [Applied.GONE], "of the object before the deletion"
    assert await mirror.apply([coupon(AGAIN)]) == [Applied.TIE]
    stored = await mirror.get("coupon", "SPRING")
    assert stored is not None and stored.deleted
    assert await mirror.apply([coupon(AGAIN, expects=stored.version)]) == [Applied.APPLIED]
    await assert_only(mirror, AGAIN)
    assert await mirror.apply([ended(AGAIN - DAY, NOON), coupon(NOON, stamp=AGAIN + 9)]) == [Applied.STALE, Applied.STALE]
    await assert_only(mirror, AGAIN)
    assert await mirror.apply([ended(AGAIN + DAY, AGAIN)]) == [Applied.APPLIED]
    assert (await mirror.list(Query("coupon"))).total == 0 and await mirror.totals("coupon") == []


async def test_a_new_object_under_a_chosen_id_replaces_the_one_whose_deletion_was_never_told(mirror: Mirror) -> None:
    await mirror.apply([coupon(NOON)])
    assert await mirror.apply([coupon(AGAIN)]) == [Applied.APPLIED]
    await assert_only(mirror, AGAIN)
    assert await mirror.apply([coupon(NOON, stamp=AGAIN + 9), ended(AGAIN - DAY)]) == [Applied.STALE, Applied.STALE]
    await assert_only(mirror, AGAIN)


@pytest.mark.parametrize("apart", [-5, 0, 5])
async def test_a_deletion_and_a_creation_of_about_one_moment_are_told_apart_by_stripe_alone(mirror: Mirror, apart: int) -> None:
    await mirror.apply([coupon(NOON)])
    assert await mirror.apply([ended(NOON + apart)]) == [Applied.TIE]
    await assert_only(mirror, NOON)
    assert await mirror.apply([replace(ended(NOON), expects=7)]) == [Applied.CONFLICT]
    assert await mirror.apply([replace(ended(NOON), expects=1)]) == [Applied.APPLIED]
    assert await mirror.apply([coupon(NOON + apart)]) == [Applied.TIE]


async def test_in_one_call_an_id_may_go_and_come_again(mirror: Mirror) -> None:
    await mirror.apply([coupon(NOON, status="inactive")])
    lives = [ended(NOON + DAY), coupon(AGAIN, expects=2), ended(AGAIN + DAY), coupon(AGAIN + 2 * DAY, expects=4)]
    assert await mirror.apply(lives) == [Applied.APPLIED] * 4
    await assert_only(mirror, AGAIN + 2 * DAY)


async def test_writes_of_one_call_are_applied_in_their_order(mirror: Mirror) -> None:
    states = [charge("ch_1", stamp=NOON + n * APART, body=str(n), amount=n, words=f"word{n}") for n in range(5)]
    assert await mirror.apply(states) == [Applied.APPLIED] * 5
    stored = await mirror.get("charge", "ch_1")
    assert stored is not None and stored.version == 5 and stored.body == states[-1].body
    assert await mirror.totals("charge") == [Total(0, "succeeded", "usd", 1, 4, 0)]
    assert await found(mirror, "word4") == ["ch_1"] and await found(mirror, "word3") == []


async def test_no_writes_are_no_work(mirror: Mirror) -> None:
    assert await mirror.apply([]) == []


async def test_calls_at_once_are_all_applied_and_each_gets_its_own_answers(mirror: Mirror) -> None:
    first = await asyncio.gather(*(mirror.apply([charge(f"ch_{n}", NOON + n)]) for n in range(100)))
    again = await asyncio.gather(*(mirror.apply([charge(f"ch_{n}", NOON + n, body="x")]) for n in range(0, 100, 2)))
    assert first == [[Applied.APPLIED]] * 100 and again == [[Applied.TIE]] * 50
    assert (await mirror.list(Query("charge"))).total == 100


@pytest.mark.parametrize("wrong", [{"created": -1}, {"created": 2**32}, {"kind": "charge; DROP TABLE objects"}, {"kind": ""}])
async def test_a_write_that_no_mirror_can_hold_is_refused_and_disturbs_no_other(mirror: Mirror, wrong: dict[str, object]) -> None:
    bad = replace(charge("ch_bad"), **wrong)  # type: ignore[arg-type]
    good, refused = await asyncio.gather(mirror.apply([charge("ch_1")]), mirror.apply([bad]), return_exceptions=True)
    assert good == [Applied.APPLIED] and isinstance(refused, ValueError)


async def test_a_call_that_fails_leaves_nothing_and_disturbs_no_other(mirror: Mirror) -> None:
    bad = [charge("ch_half"), charge("ch_bad", amount=2**70)]
    results = await asyncio.gather(
        *(mirror.apply([charge(f"ch_{n}", words="kept")]) for n in range(20)), mirror.apply(bad), return_exceptions=True
    )
    assert isinstance(results[-1], Exception) and results[:-1] == [[Applied.APPLIED]] * 20
    assert await mirror.get("charge", "ch_half") is None
    assert (await mirror.list(Query("charge"))).total == 20
    assert len(await found(mirror, "kept", limit=50)) == 20


# What a run did not see


async def test_a_walk_over_a_kind_finds_what_was_not_known_true_since_a_moment(mirror: Mirror) -> None:
    await mirror.apply([charge(f"ch_{n}", NOON - n, stamp=NOON + n % 3) for n in range(20)])
    await mirror.apply([replace(charge("cus_1", stamp=NOON), kind="customer")])
    confirmed, changed = charge("ch_3", NOON - 3, stamp=NOON + 2), charge("ch_6", NOON - 6, stamp=NOON + APART, body="new")
    grave = Write("charge", "ch_9", 0, NOON, b"{}", deleted=True)
    assert await mirror.apply([confirmed, changed, grave]) == [Applied.DUPLICATE, Applied.APPLIED, Applied.APPLIED]
    found: list[str] = []
    steps, after = 0, None
    while steps == 0 or after is not None:
        walked = await mirror.unseen("charge", NOON + 2, 6, after)
        found, after, steps = found + walked.ids, walked.position, steps + 1
    assert found == [f"ch_{n}" for n in range(20) if n % 3 != 2 and n not in (3, 6, 9)] and steps == 4
    whole = await mirror.unseen("charge", NOON + 1, 1_000)
    assert (whole.ids, whole.position) == ([f"ch_{n}" for n in range(20) if n % 3 == 0 and n not in (3, 6, 9)], None)
    assert (await mirror.unseen("customer", NOON, 10)).ids == [] and (await mirror.unseen("refund", NOON, 10)).ids == []


# Lists


async def test_a_list_is_newest_first_and_its_pages_follow_each_other_without_gap_or_overlap(mirror: Mirror) -> None:
    await mirror.apply([charge(f"ch_{n:03}", NOON + n // 7) for n in range(100)])
    seen: list[str] = []
    after: int | None = None
    while True:
        page = await mirror.list(Query("charge", limit=9, after=after))
        assert page.total == 100
        seen += [body.split(b'"')[3].decode() for body in page.bodies]
        if (after := page.position) is None:
            break
    assert len(seen) == 100 and len(set(seen)) == 100
    made = [NOON + int(id[3:]) // 7 for id in seen]
    assert made == sorted(made, reverse=True)


async def test_pages_stay_in_place_while_newer_objects_come(mirror: Mirror) -> None:
    await mirror.apply([charge(f"ch_{n}", NOON + n) for n in range(10)])
    first = await mirror.list(Query("charge", limit=5))
    await mirror.apply([charge("ch_new", NOON + 50)])
    assert await ids(mirror, Query("charge", limit=5, after=first.position)) == ["ch_4", "ch_3", "ch_2", "ch_1", "ch_0"]


async def test_a_list_keeps_to_the_kind_status_customer_and_times_asked_for(mirror: Mirror) -> None:
    await mirror.apply(
        [
            charge("ch_1", NOON),
            charge("ch_2", NOON + 1, status="failed"),
            charge("ch_3", NOON + 2, customer="cus_b"),
            charge("ch_4", NOON + 3, status="failed", customer="cus_b"),
            charge("ch_5", NOON + 4, customer=None),
            replace(charge("re_1", NOON), kind="refund"),
        ]
    )
    for query, expected in [
        (Query("charge"), ["ch_5", "ch_4", "ch_3", "ch_2", "ch_1"]),
        (Query("charge", status="failed"), ["ch_4", "ch_2"]),
        (Query("charge", customer="cus_b"), ["ch_4", "ch_3"]),
        (Query("charge", customer="cus_b", status="failed"), ["ch_4"]),
        (Query("charge", created_from=NOON + 1, created_to=NOON + 3), ["ch_4", "ch_3", "ch_2"]),
        (Query("charge", status="failed", created_to=NOON + 1), ["ch_2"]),
        (Query("charge", customer="cus_a", created_from=NOON + 1), ["ch_2"]),
        (Query("charge", status="unheard"), []),
        (Query("charge", created_from=NOON + 3, created_to=NOON + 1), []),
        (Query("nothing"), []),
    ]:
        assert await ids(mirror, query) == expected, query
        assert (await mirror.list(query)).total == len(expected), query


async def test_an_object_that_changes_its_status_moves_from_one_list_to_the_other(mirror: Mirror) -> None:
    await mirror.apply([charge("ch_1"), charge("ch_1", stamp=NOON + APART, body="b", status="failed", customer="cus_b")])
    assert (await mirror.list(Query("charge", status="succeeded"))).total == 0
    assert (await mirror.list(Query("charge", status="failed"))).total == 1
    assert await ids(mirror, Query("charge", customer="cus_a")) == [] and await ids(mirror, Query("charge", customer="cus_b")) == ["ch_1"]


async def test_a_total_is_exact_over_parts_of_days_and_for_many_objects(mirror: Mirror, request: pytest.FixtureRequest) -> None:
    many = 300 if "cosmos" in request.node.name else 3_000
    made = [20_000 * DAY + n * (21 * DAY // many) for n in range(many)]  # three weeks
    await mirror.apply([charge(f"ch_{n}", at, status="failed" if n % 3 else "succeeded") for n, at in enumerate(made)])
    first, last = made[0], made[-1]
    for low, high in [
        (None, None),
        (first, last),
        (first + 1, last),
        (first + 40_000, first + 41_000),
        (None, first + 9 * DAY + 7),
        (first + DAY, None),
    ]:
        inside = [n for n, at in enumerate(made) if (low is None or at >= low) and (high is None or at <= high)]
        query = Query("charge", created_from=low, created_to=high, limit=1)
        assert (await mirror.list(query)).total == len(inside)
        assert (await mirror.list(replace(query, status="failed"))).total == sum(1 for n in inside if n % 3)
        assert (await mirror.list(replace(query, customer="cus_a"))).total == len(inside)


@pytest.mark.parametrize("edge", [-(2**70), -1, 0, 2**31, 2**32, 2**70])
async def test_a_time_beyond_all_times_is_an_open_end(mirror: Mirror, edge: int) -> None:
    await mirror.apply([charge("ch_1")])
    expected = 1 if edge <= NOON else 0
    assert (await mirror.list(Query("charge", created_from=edge))).total == expected
    assert (await mirror.list(Query("charge", created_to=edge))).total == 1 - expected


# Totals


async def test_totals_tell_count_amount_and_refunds_per_day_status_and_currency(mirror: Mirror) -> None:
    await mirror.apply(
        [
            charge("ch_0", 0, amount=7),
            charge("ch_1", NOON, amount=100),
            charge("ch_2", NOON, amount=200, refunded=50),
            charge("ch_3", NOON, amount=300, currency="jpy"),
            charge("ch_4", NOON, amount=400, status="failed"),
            charge("ch_5", NOON + DAY, amount=500),
            charge("ch_6", NOON, status=None, currency=None, amount=None, refunded=None),
        ]
    )
    assert sorted(await mirror.totals("charge", 20_000, 20_000), key=str) == sorted(
        [
            Total(20_000, "", "", 1, 0, 0),
            Total(20_000, "failed", "usd", 1, 400, 0),
            Total(20_000, "succeeded", "jpy", 1, 300, 0),
            Total(20_000, "succeeded", "usd", 2, 300, 50),
        ],
        key=str,
    )
    assert [each.day for each in await mirror.totals("charge", 20_001)] == [20_001]
    assert await mirror.totals("charge", 0, 0) == [Total(0, "succeeded", "usd", 1, 7, 0)]
    assert Total(0, "succeeded", "usd", 4, 807, 50) in await mirror.totals("charge")
    assert len(await mirror.totals("charge")) == 4


# Search


PEOPLE = [
    Write("customer", "cus_Zoe1", NOON, NOON, b"{}", words="Zoë Müller zoe.mueller+shop@example.com +49 30 1234"),
    Write("customer", "cus_Ann2", NOON + 1, NOON + 1, b"{}", words="Ann O'Brien ann_obrien@example.org"),
    Write("customer", "cus_Luk3", NOON + 2, NOON + 2, b"{}", words="Łukasz Żółć Straße 東京"),
    Write("invoice", "in_4", NOON + 3, NOON + 3, b"{}", words="A1B2C3D4-0042 cus_Zoe1 order_id_7781 in_progress"),
    Write("charge", "ch_5", NOON + 4, NOON + 4, b"{}", words="cus_Zoe1 NEAR OR AND NOT words"),
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("zoe", ["cus_Zoe1"]),
        ("ZOË mül", ["cus_Zoe1"]),
        ("muller", ["cus_Zoe1"]),
        ("zoe.mueller", ["cus_Zoe1"]),
        ("zoe.mueller+shop@example.com", ["cus_Zoe1"]),
        ("shop@exam", ["cus_Zoe1"]),
        ("example", ["cus_Ann2", "cus_Zoe1"]),
        ("example zo", ["cus_Zoe1"]),
        ("uller", []),
        ("o'brien", ["cus_Ann2"]),
        ("obrien", ["cus_Ann2"]),
        ("lukasz zolc strasse", ["cus_Luk3"]),
        ("東", ["cus_Luk3"]),
        ("a1b2c3d4-0042", ["in_4"]),
        ("0042", ["in_4"]),
        ("7781", ["in_4"]),
        ("cus_Zo", ["ch_5", "in_4", "cus_Zoe1"]),
        ("cus_Zoe1", ["cus_Zoe1", "ch_5", "in_4"]),
        ("CUS_ZOE1", ["ch_5", "in_4", "cus_Zoe1"]),
        ("ch_5", ["ch_5"]),
        ("in_progress", ["in_4"]),
        ("in_prog", ["in_4"]),
        ("progress", ["in_4"]),
        ("order_id", ["in_4"]),
        ("id_77", ["in_4"]),
        ("zoe nobody", []),
    ],
)
async def test_every_word_begins_a_word_and_an_exact_id_comes_first(mirror: Mirror, text: str, expected: list[str]) -> None:
    await mirror.apply(PEOPLE)
    assert await found(mirror, text, "customer", "invoice", "charge") == expected


@pytest.mark.parametrize("text", ["", " ", '"', "*", "'", "()", "-", "^", ":", "{}", "…", "\x00", "\ud800", "_", '""', "💳"])
async def test_a_text_without_letters_or_digits_finds_nothing(mirror: Mirror, text: str) -> None:
    await mirror.apply(PEOPLE)
    assert await found(mirror, text, "customer", "invoice", "charge") == []


@pytest.mark.parametrize(
    "text",
    [
        'words"',
        "near or and not",
        "NEAR(cus, 2)",
        "words:cus",
        "-words",
        "words*",
        '"words" OR "zoe"',
        "wor\x00ds",
        "cus ^words",
        "a" * 5_000,
        "w " * 999,
    ],
)
async def test_what_is_typed_never_becomes_a_query_language(mirror: Mirror, text: str) -> None:
    await mirror.apply(PEOPLE)
    assert set(await found(mirror, text, "customer", "invoice", "charge")) <= {"ch_5"}


async def test_search_keeps_to_the_kinds_and_the_limit_newest_first(mirror: Mirror) -> None:
    await mirror.apply([charge(f"ch_{n}", NOON + 2 * n, words="paid by card") for n in range(20)])
    await mirror.apply([replace(charge(f"in_{n}", NOON + 2 * n + 1, words="paid"), kind="invoice") for n in range(20)])
    assert await found(mirror, "paid", "charge", "invoice", limit=3) == ["in_19", "ch_19", "in_18"]
    assert await found(mirror, "paid", "charge", limit=2) == ["ch_19", "ch_18"]
    assert await found(mirror, "paid", "payout") == []


async def test_search_finds_what_an_object_says_now_and_no_more_what_it_said(mirror: Mirror) -> None:
    await mirror.apply([charge("ch_1", words="old name"), charge("ch_1", stamp=NOON + APART, body="b", words="new name")])
    assert await found(mirror, "old") == [] and await found(mirror, "new") == ["ch_1"] and await found(mirror, "name") == ["ch_1"]

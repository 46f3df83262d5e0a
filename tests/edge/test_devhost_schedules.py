"""NCRONTAB schedules as the real host reads them."""

from datetime import UTC, datetime

import pytest

from devhost.timers import schedule_after


@pytest.mark.parametrize(
    ("schedule", "after", "due"),
    [
        ("0 */5 * * * *", "2026-11-21T10:03:20", "2026-11-21T10:05:00"),
        ("30 * * * * *", "2026-11-21T10:03:30", "2026-11-21T10:04:30"),
        ("0 0 3 * * *", "2026-11-21T10:00:00", "2026-11-22T03:00:00"),
        ("0 0 9 * * 1-5", "2026-11-21T10:00:00", "2026-11-23T09:00:00"),
        ("0 0 0 13 * 5", "2026-11-21T10:00:00", "2027-08-13T00:00:00"),
        ("0 0 0 1 1 *", "2026-11-21T10:00:00", "2027-01-01T00:00:00"),
    ],
)
def test_the_next_occurrence_follows_and_day_and_weekday_must_both_fit(schedule: str, after: str, due: str) -> None:
    moment = datetime.fromisoformat(after).replace(tzinfo=UTC)
    assert schedule_after(schedule, moment) == datetime.fromisoformat(due).replace(tzinfo=UTC)

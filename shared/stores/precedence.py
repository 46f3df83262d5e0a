"""Which of two statements about an object stands: the mirror's write rules, one source for every engine."""

from typing import NamedTuple

from shared.stores.protocols import NEAR, Applied, Write


class There(NamedTuple):
    """What a rule needs to know of the row that is there."""

    created: int
    stamp: int
    version: int
    deleted: bool


def judge(there: There, write: Write, *, same: bool) -> Applied:
    """What becomes of a write to a row that is there. `same`: it has the very same body."""
    if write.deleted and there.deleted:
        return Applied.DUPLICATE if same else Applied.GONE
    if same and not write.deleted and not there.deleted:
        return Applied.DUPLICATE
    if write.expects is not None:
        return Applied.APPLIED if write.expects == there.version else Applied.CONFLICT
    if there.deleted:
        return Applied.TIE if write.chosen_id and write.created >= there.stamp - NEAR else Applied.GONE
    if write.deleted:
        return _deletion(there, write)
    if write.chosen_id and write.created and there.created and write.created != there.created:
        return Applied.APPLIED if write.created > there.created else Applied.STALE
    return _by_time(there, write)


def _by_time(there: There, write: Write) -> Applied:
    """What is known true at a later second stands, where the seconds lie far enough apart; else Stripe is to be asked."""
    if write.stamp > there.stamp + NEAR:
        return Applied.APPLIED
    latest = write.stamp + NEAR if write.until is None else write.until
    return Applied.STALE if latest < there.stamp else Applied.TIE


def _deletion(there: There, write: Write) -> Applied:
    """It ends what was made before it, whatever was said in between; what may have been made after it was not meant."""
    if not write.chosen_id or write.stamp > there.created + NEAR:
        return Applied.APPLIED
    return Applied.TIE if write.stamp >= there.created - NEAR else Applied.STALE


def moment(there: There | None, write: Write) -> int:
    """When the object was made, once the write stands: a deletion does not tell it, and keeps the place in the lists."""
    if there is None:
        return write.created
    return there.created if write.deleted or not write.created else write.created

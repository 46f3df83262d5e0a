"""An invocation of the host's: it opens the trace, and an exception leaves it without words of anybody else's."""

import logging
from collections.abc import Generator
from contextlib import contextmanager

from shared.context import Seam
from shared.errors import BillyError
from shared.telemetry import correlation
from shared.telemetry.lines import path_of, say
from shared.telemetry.spans import span


@contextmanager
def began(function: str, trace: correlation.Trace, seam: Seam) -> Generator[None]:
    """Within it everything belongs to `trace`.

    Raises `BillyError` alone, because the worker logs what an exception says: a crash becomes `internal` with a reference.
    """
    with correlation.following(trace):
        try:
            with span(function):
                yield
        except BillyError as error:
            say(logging.ERROR, "billy.invocation_failed", function=function, code=error.code, reference=error.reference)
            raise
        except Exception as crash:
            raise crashed(crash, function, seam) from None


def crashed(crash: Exception, where: str, seam: Seam) -> BillyError:
    """The error of a crash: a reference that the log has too. What the exception says is in neither."""
    reference = seam.id("ref")
    say(logging.ERROR, "billy.crash", reference=reference, where=where, error=type(crash).__name__, place=path_of(crash))
    return BillyError("internal", "This call failed on our side.", next="Tell the operator the reference.", reference=reference)


@contextmanager
def within(trace: correlation.Trace | None) -> Generator[None]:
    """What runs within belongs to a trace that began elsewhere: that of the delivery or the attempt it goes on with. None changes nothing."""
    if trace is None:
        yield
        return
    with correlation.following(trace):
        yield


@contextmanager
def correlated(seam: Seam) -> Generator[None]:
    """What runs within has a correlation id: the one there is, or a new one."""
    if correlation.current() is not None:
        yield
        return
    with correlation.following(correlation.new_trace(seam.bits)):
        yield

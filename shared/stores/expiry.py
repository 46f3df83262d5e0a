"""For how long records are kept: one table for every store."""

DAY = 86_400

# Seconds after the last change for which a record of a collection is kept; others stay for ever.
EXPIRY: dict[str, int] = {
    "events": 30 * DAY,  # Stripe repeats a delivery for three days and lists events for thirty
    "claims": DAY,  # a claim counts for ten minutes
}

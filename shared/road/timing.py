"""The times of the road, in seconds, which hang together: lease, try and skew together stay below the grace."""

CALL = 45.0  # a whole call, from its first step to its answer; the lease ends with it
TRY = 20.0  # one request to Stripe at most, from connecting to the last byte; the gateway keeps it
SKEW = 30.0  # by which two instances' clocks may differ
GRACE = 180.0  # after an attempt's last request, until none can be under way any more
ROOM = 5.0  # of a call, kept for recording its outcome and answering

GUARD = 600.0  # after a movement, in which the same one again is taken for an accident
NEVER_CAME = 10.0  # after which a claim whose attempt is not there is free
LOOK = 20.0  # one look at what became of an attempt; whoever comes meanwhile waits
PAUSE = 30.0  # at least, before an attempt is asked about again; it grows with the time since the grace
LONGEST_PAUSE = 3600.0
JOINED = 23 * 3600.0  # in which Stripe joins requests of one idempotency key: it keeps keys for a day at least
PATIENCE = 900.0  # in which an attempt is settled while all goes well; then somebody is told
FOLLOWS = 5.0  # for what follows an act before its answer leaves

"""The few message shapes that the worker library builds while it starts and indexes an app.

In Azure these are protobuf classes of the host's gRPC contract. The library only constructs them with keyword
arguments and reads their constants, so plain records are enough here.
"""

import sys
from types import SimpleNamespace


class _Record(SimpleNamespace):
    """Keeps whatever keyword arguments it is given as attributes."""


class BindingInfo(_Record):
    out, inout, undefined = 1, 2, 0


setattr(BindingInfo, "in", 0)


class StatusResult(_Record):
    Failure, Success, Cancelled = 0, 1, 2


class RpcException(_Record):
    """Built by the library inside its `except` block: the exception itself is kept, not only its text."""

    def __init__(self, **fields: object) -> None:
        super().__init__(**fields)
        self.cause = sys.exception()


class WorkerInitResponse(_Record):
    pass


class WorkerMetadata(_Record):
    pass


class FunctionMetadataResponse(_Record):
    pass


class RpcFunctionMetadata(_Record):
    pass


class RpcRetryOptions(_Record):
    pass

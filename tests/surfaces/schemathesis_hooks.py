"""What Schemathesis must know of the Functions host: it drops query parameters without a value before any function sees them."""

from typing import Any

import schemathesis


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    return all(value not in ("", [], [""], None) for value in (case.query or {}).values())

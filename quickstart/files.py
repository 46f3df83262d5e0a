"""Files of a run that nobody else may read."""

import os
from pathlib import Path


def write_private(file: Path, text: str) -> None:
    """Writes a file that only its owner may read, in one step."""
    partial = file.with_name(file.name + ".partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as opened:
        opened.write(text)
    partial.replace(file)

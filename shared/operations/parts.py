"""An object inside an object, read field by field."""

from typing import Any

from shared.operations.fields import Odd, Reader

type Names = dict[str, None]  # what is odd, each name once, in order


class Part:
    """One object inside an object, read field by field: what is odd is null, and named with the place where it stands."""

    def __init__(self, value: Any, name: str, odd: Names) -> None:
        self.name = name
        self._odd = odd
        if value is not None and value.__class__ is not dict:
            odd[name] = None
        self.there: bool = value.__class__ is dict
        self._value: dict[str, Any] = value if isinstance(value, dict) else {}

    def read(self, name: str, reader: Reader) -> Any:
        try:
            return reader(self._value.get(name))
        except Odd:
            self._odd[f"{self.name}.{name}"] = None
            return None

    def part(self, name: str) -> "Part":
        return Part(self._value.get(name), f"{self.name}.{name}", self._odd)

    def object(self, name: str) -> "Part":
        """The same for an object that belongs there whole: its id alone, or nothing, is odd."""
        found = self._value.get(name)
        if found.__class__ is not dict:
            self._odd[f"{self.name}.{name}"] = None
        return Part(found if found.__class__ is dict else None, f"{self.name}.{name}", self._odd)

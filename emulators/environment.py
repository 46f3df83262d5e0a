"""What a child process is given of our own environment: what it needs, by name, and nothing that somebody keeps there besides."""

import os
from collections.abc import Iterable, Mapping

PLAIN = ("PATH", "HOME", "LANG", "LANGUAGE", "TMPDIR", "TZ", "LD_LIBRARY_PATH")
_NETWORK = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir")


def plain() -> dict[str, str]:
    """What every process needs: where programs, its home and the folder for scratch are, the language and the time zone."""
    return chosen(PLAIN, ("LC_",))


def of_the_network() -> dict[str, str]:
    """How the world outside of this machine is reached: proxies and certificates. Proxies are written in both cases."""
    return {name: value for name, value in os.environ.items() if name.lower() in _NETWORK}


def chosen(names: Iterable[str], prefixes: Iterable[str] = (), source: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of these names, and those whose names begin so."""
    given = os.environ if source is None else source
    wanted, begun = frozenset(names), tuple(prefixes)
    return {name: value for name, value in given.items() if name in wanted or name.startswith(begun)}

#!/bin/sh
# Makes .venv with Python 3.13 and the pinned requirements: with uv where it is there, with venv and pip otherwise.
set -eu
want=$(cat .python-version)

find_python() {
    for candidate in "python$want" python3 python "$HOME/.pyenv/versions/$want"*/bin/python; do
        if "$candidate" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$want')" 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "Python $want is not found. Install it (https://www.python.org/downloads/), or uv (https://docs.astral.sh/uv/)." >&2
    exit 1
}

if command -v uv >/dev/null 2>&1; then
    [ -x .venv/bin/python ] || uv venv -q --python "$want" .venv
    uv pip install -q --python .venv/bin/python -r requirements-dev.txt
else
    python=$(find_python)
    [ -x .venv/bin/python ] || "$python" -m venv .venv
    echo "Installing the pinned requirements into .venv (once; about a minute) …" >&2
    .venv/bin/python -m pip install -q --disable-pip-version-check -r requirements-dev.txt 2>.venv/pip.log || { cat .venv/pip.log >&2; exit 1; }
fi
touch .venv/.ready

#!/bin/sh
# Judges infra/bicep and the package that would be deployed, with tools that are not ours, installed into .venv/infra (about a minute, once).
set -eu
cd "$(dirname "$0")/.."
[ -x .venv/bin/python ] || sh scripts/setup.sh
tools=.venv/infra
if [ ! -e "$tools/.ready" ]; then
    .venv/bin/python -m venv "$tools"
    # An environment of their own: checkov wants an older parser than the tests do.
    "$tools/bin/python" -m pip install -q --disable-pip-version-check checkov==3.3.30 azure-functions-doctor==0.23.1
    touch "$tools/.ready"
fi

found=$(mktemp -d)
trap 'rm -rf "$found"' EXIT
echo "checkov: infra/bicep"
"$tools/bin/checkov" --config-file infra/bicep/checkov.yaml -d infra/bicep -o json >"$found/checkov.json" 2>"$found/checkov.txt" || true
# It ends well although a file could not be read, so the files are counted here.
"$tools/bin/python" - "$found/checkov.json" <<'PY'
import json, sys
from pathlib import Path
report = json.loads(Path(sys.argv[1]).read_text())
summary = report["summary"]
for each in report["results"]["failed_checks"]:
    print(each["check_id"], each["file_path"], each["resource"], each["check_name"])
print(f"{summary['passed']} passed, {summary['failed']} failed, {summary['parsing_errors']} unreadable, {summary['resource_count']} resources")
sys.exit(bool(summary["failed"] or summary["parsing_errors"] or summary["passed"] < 30))
PY

echo "azure-functions-doctor: the package"
mkdir "$found/package"
cp -r function_app.py functions shared host.json requirements.txt .funcignore "$found/package/"
find "$found/package" -name __pycache__ -type d -prune -exec rm -rf {} +
"$tools/bin/azure-functions-doctor" doctor --path "$found/package" --profile deploy --hosting-plan flex-consumption --target-python 3.13

#!/usr/bin/env bash
# Computes the golden values anew, with the Python environment of Tests/Interop/run.sh.
set -euo pipefail
cd "$(dirname "$0")"

python=../../.build/interop/venv/bin/python
[ -x $python ] || { echo "error: there is no Python environment; make interop makes it" >&2; exit 1; }
for script in *.py; do
  echo "== $script"
  $python "$script"
done
git status --short .

#!/bin/sh
# Writes inventories/registers/ba-ria-vung-tau-2012 again: a province of three tiers, from a release of
# vietnam-provinces that knows them. Needs .venv (make env); the old release lives in an environment of its
# own that goes away afterwards.
# Wanted: three-tiers.sh OUT [PYTHON]. OUT must not exist, as with every `province new`.
set -eu

cd "$(dirname "$0")/.."
out=${1:?a folder that is not there yet: make three-tiers OUT=FOLDER}
python=${2:-/usr/bin/python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

bootstrap/locked.sh "$work/venv" requirements/three-tiers.txt "$python"
"$work/venv/bin/python" bootstrap/three_tiers.py 77 ba-ria-vung-tau-2012 40 >"$work/divisions.json"
.venv/bin/province new --from "$work/divisions.json" --out "$out"

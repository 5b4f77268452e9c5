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

"$python" -m venv --without-pip "$work/venv"
# Hashes are enforced, and by the installer that the project's own environment is made with.
wheel=$(find /usr/share/python-wheels -name 'pip-*.whl' 2>/dev/null | head -n 1)
if [ -z "$wheel" ]; then
    (cd "$work" && apt-get -q download python3-pip-whl >/dev/null && dpkg-deb -x python3-pip-whl_*.deb pip)
    wheel=$(find "$work/pip" -name 'pip-*.whl' | head -n 1)
fi
PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PYTHONNOUSERSITE=1 \
    "$work/venv/bin/python" "$wheel/pip" --quiet install --require-hashes --only-binary :all: \
    -r requirements/three-tiers.txt
"$work/venv/bin/python" bootstrap/three_tiers.py 77 ba-ria-vung-tau-2012 40 >"$work/divisions.json"
.venv/bin/province new --from "$work/divisions.json" --out "$out"

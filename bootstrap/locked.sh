#!/bin/sh
# Makes a Python environment beside .venv from a lock file, every file held to its hash, where none of the same
# lock file stands. Prints nothing.
# Wanted: locked.sh FOLDER LOCK [PYTHON], LOCK from the repository's root.
set -eu

cd "$(dirname "$0")/.."
folder=${1:?a folder to make the environment in}
lock=${2:?a lock file of requirements/}
python=${3:-/usr/bin/python3}
wanted=$(cat "$lock" bootstrap/locked.sh | sha256sum | cut -d' ' -f1)
[ "$(cat "$folder/stamp" 2>/dev/null)" = "$wanted" ] && exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf "$folder"
"$python" -m venv --without-pip "$folder"
wheel=$(find /usr/share/python-wheels -name 'pip-*.whl' 2>/dev/null | head -n 1)
if [ -z "$wheel" ]; then
    (cd "$work" && apt-get -q download python3-pip-whl >/dev/null && dpkg-deb -x python3-pip-whl_*.deb pip)
    wheel=$(find "$work/pip" -name 'pip-*.whl' | head -n 1)
fi
PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PYTHONNOUSERSITE=1 \
    "$folder/bin/python" "$wheel/pip" --quiet install --require-hashes --only-binary :all: -r "$lock"
printf '%s\n' "$wanted" >"$folder/stamp"

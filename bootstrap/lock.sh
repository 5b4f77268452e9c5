#!/bin/sh
# Compiles requirements/environment.txt and rivals.txt (every package, every version, every hash, for all
# Pythons that the project knows) from the .in files beside them. What is locked stays, unless environment.in asks
# for something else; UPGRADE=1 takes the newest of everything.
set -eu

cd "$(dirname "$0")/.."
python=${1:-/usr/bin/python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The compiler is no part of what it compiles.
bootstrap/env.sh "$python"
"$python" -m venv --without-pip "$work/venv"
wheel=$(find /usr/share/python-wheels -name 'pip-*.whl' 2>/dev/null | head -n 1)
if [ -z "$wheel" ]; then
    (cd "$work" && apt-get -q download python3-pip-whl >/dev/null && dpkg-deb -x python3-pip-whl_*.deb pip)
    wheel=$(find "$work/pip" -name 'pip-*.whl' | head -n 1)
fi
"$work/venv/bin/python" "$wheel/pip" --quiet install --only-binary :all: uv

cd requirements
for part in environment rivals; do
    "$work/venv/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
        --no-emit-index-url ${UPGRADE:+--upgrade} -o "$part.txt" "$part.in"
done
git --no-pager diff --stat -- environment.txt rivals.txt

#!/bin/sh
# Makes the Python environment .venv of this repository: every package at its pinned version, every
# file held to its hash, wheels only. Needs no root and nothing but the system's own Python.
#
# The stamp in .venv names what it was made from; an environment without the right stamp (none yet,
# another lock file, an interrupted run, a moved folder) is made again from nothing.
# Wanted: env.sh [PYTHON]. Prints one line a step; the full output is in .venv.log while it fails.
set -eu

cd "$(dirname "$0")/.."
here=$(pwd)
python=${1:-/usr/bin/python3}
lock=requirements/environment.txt
log=.venv.log

fail() { # what was tried, what came back, what to do
    printf 'env: %s\n     came back: %s\n     next: %s\n' "$1" "$2" "$3" >&2
    exit 1
}

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) ||
    fail "start $python" "no such Python" "apt-get install python3, or: make env PYTHON=/path/to/python3"
case $version in
3.11 | 3.13) ;;
*) fail "use $python" "version $version" "give a Python 3.11 or 3.13: make env PYTHON=/path/to/python3" ;;
esac

# One at a time: a second caller waits here, then finds the stamp right.
exec 9<requirements
flock 9

wanted=$({
    printf '%s %s\n' "$here" "$version"
    cat "$lock" bootstrap/env.sh
    # Of pyproject.toml what says how the package is installed; settings of linters are none of it.
    awk '/^\[/ { wanted = /^\[(build-system|project|tool\.setuptools)/ } wanted' pyproject.toml
} | sha256sum | cut -d' ' -f1)
[ "$(cat .venv/stamp 2>/dev/null)" = "$wanted" ] && exit 0

started=$(date +%s)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# A wheel of pip: the one that ensurepip has, else the distribution's, fetched without root.
pip_wheel() {
    wheel=$("$python" -c 'import ensurepip, pathlib
d = pathlib.Path(ensurepip.__file__).parent / "_bundled"
for w in [*d.glob("pip-*.whl"), *pathlib.Path("/usr/share/python-wheels").glob("pip-*.whl")]: print(w)' 2>/dev/null |
        head -n 1)
    if [ -z "$wheel" ]; then
        wheel=$(find /usr/share/python-wheels -name 'pip-*.whl' 2>/dev/null | head -n 1)
    fi
    if [ -z "$wheel" ]; then
        mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
        apt="apt-get -q -o APT::Sandbox::User= -o Dir::Cache=$work/cache"
        (cd "$work" && $apt download python3-pip-whl) >>"$log" 2>&1 ||
            (cd "$work" && apt="$apt -o Dir::State::lists=$work/lists" &&
                $apt update && $apt download python3-pip-whl) >>"$log" 2>&1 ||
            fail "apt-get download python3-pip-whl" "$(tail -n 1 "$log")" \
                "see $log; then apt-get install python3-venv, or set right the package sources, and make env"
        dpkg-deb -x "$work"/python3-pip-whl_*.deb "$work/pip"
        wheel=$(find "$work/pip" -name 'pip-*.whl' | head -n 1)
    fi
    printf '%s\n' "$wheel"
}

: >"$log"
printf 'env: Python %s, packages of %s (about a minute)\n' "$version" "$lock"
wheel=$(pip_wheel)
[ -n "$wheel" ] || exit 1
rm -rf .venv
"$python" -m venv --without-pip .venv >>"$log" 2>&1 ||
    fail "$python -m venv .venv" "$(tail -n 1 "$log")" "see $log"

pip() { # the wheel runs itself; nothing of the user's own site-packages is seen
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PYTHONNOUSERSITE=1 PYTHONDONTWRITEBYTECODE=1 \
        .venv/bin/python "$wheel/pip" --quiet "$@" >>"$log" 2>&1
}
# Twice: a registry that answers late once should not cost the whole run.
pip install --no-compile --progress-bar off --require-hashes --only-binary :all: -r "$lock" ||
    pip install --no-compile --progress-bar off --require-hashes --only-binary :all: -r "$lock" ||
    fail "pip install --require-hashes -r $lock" "$(grep -v '^$' "$log" | tail -n 3)" \
        "see $log; is a package registry reachable as pip is configured here? Then: make env"
pip install --no-compile --no-deps --no-index --no-build-isolation -e . ||
    fail "pip install -e ." "$(grep -v '^$' "$log" | tail -n 3)" "see $log"

printf '%s\n' "$wanted" >.venv/stamp
rm -f "$log"
printf 'env: ready in .venv after %s s\n' "$(($(date +%s) - started))"

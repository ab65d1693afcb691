#!/bin/sh
# Virtual environment and system libraries for a fresh Debian or Ubuntu machine.
# As root what is missing is installed; otherwise it is named with the command that installs it.
set -eu
PYTHON=${PYTHON:-python3}
VENV=${VENV:-.venv}
LIBRARIES="libgl1 libegl1 libglib2.0-0 libdbus-1-3 libfontconfig1 libxkbcommon-x11-0 libxcb-cursor0
libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0
libxcb-xkb1 libx11-xcb1 fonts-dejavu-core"

installed() {
    # Newer releases call some libraries NAMEt64.
    for name in "$1" "$1t64"; do
        dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q "install ok installed" && return 0
    done
    return 1
}

missing_packages() {
    command -v dpkg-query >/dev/null || return 0
    "$PYTHON" -c "import venv, ensurepip" 2>/dev/null || printf ' python3-venv'
    for package in $LIBRARIES; do
        installed "$package" || printf ' %s' "$package"
    done
}

command -v "$PYTHON" >/dev/null || {
    echo "setup: no $PYTHON: install Python 3.11 or newer, or name one with make PYTHON=..." >&2
    exit 1
}
"$PYTHON" -c "import sys; sys.exit(sys.version_info < (3, 11))" || {
    echo "setup: $("$PYTHON" --version) is too old: 3.11 or newer is needed, name one with make PYTHON=..." >&2
    exit 1
}

missing=$(missing_packages)
if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ]; then
        echo "setup: installing$missing"
        apt-get update -qq
        # shellcheck disable=SC2086  # a list of packages
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
    else
        echo "setup: system libraries are missing: sudo apt-get install$missing" >&2
        exit 1
    fi
fi

[ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV"
pip="$VENV/bin/python -m pip --disable-pip-version-check install --quiet"
echo "setup: installing Python packages into $VENV (some minutes the first time)"
$pip $(grep '^torch==' constraints.txt)
$pip -c constraints.txt -e '.[dev]'

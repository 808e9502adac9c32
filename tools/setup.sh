#!/bin/sh
# Makes .venv and installs what is pinned: "tools/setup.sh demo" to run, "tools/setup.sh dev" to test.
# Debian packages are installed where this user may; where not, a sentence says what is missing.
set -eu
cd "$(dirname "$0")/.."
what=${1:-demo}
python=${PYTHON:-python3}

say() { printf '%s\n' "$*" >&2; }

apt_install() { # apt_install PACKAGE...: true when they are installed afterwards
    command -v apt-get >/dev/null || return 1
    if [ "$(id -u)" = 0 ]; then sudo=""
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo="sudo -n"
    else return 1; fi
    say "Installing Debian packages: $*"
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null 2>&1 && return 0
    $sudo apt-get -qq update >/dev/null 2>&1 || true
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null
}

command -v "$python" >/dev/null || apt_install python3 || {
    say "Python 3.11 or newer is needed and python3 was not found. On Debian: apt install python3 python3-venv"; exit 1; }
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    say "Python 3.11 or newer is needed; $python is $("$python" -V 2>&1). Set PYTHON=... to a newer one."; exit 1; }

if [ ! -x .venv/bin/python ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        apt_install python3-venv || {
            say "The Debian package python3-venv is missing and this user may not install it. Ask an administrator: apt install python3-venv"; exit 1; }
    fi
    say "Making the virtual environment .venv"
    rm -rf .venv
    "$python" -m venv .venv
fi

# Debian's Mosquitto starts a service on 127.0.0.1:1883; nongso does not use that one, but its own.
export PATH="$PATH:/usr/sbin:/sbin"
wanted=""
command -v mosquitto >/dev/null || wanted="$wanted mosquitto"
if [ "$what" = dev ]; then
    command -v mbpoll >/dev/null || wanted="$wanted mbpoll"
    command -v mosquitto_pub >/dev/null || wanted="$wanted mosquitto-clients"
    command -v zbarimg >/dev/null || wanted="$wanted zbar-tools"
    command -v pdftoppm >/dev/null || wanted="$wanted poppler-utils"
    command -v chromium >/dev/null || wanted="$wanted chromium"
    ls /usr/lib/*/libatomic.so.1 >/dev/null 2>&1 || wanted="$wanted libatomic1" # the browser's driver
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || wanted="$wanted postgresql"
fi
if [ -n "$wanted" ]; then
    # shellcheck disable=SC2086
    apt_install $wanted || say "Not installed, and this user may not:$wanted. Without mosquitto an embedded broker is used (it can drop messages); without the others some tests are skipped. To install: apt install$wanted"
fi

stamp=.venv/installed-$what
sum=$(cat "requirements/$what.lock" pyproject.toml | cksum)
if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$sum" ]; then
    say "Installing Python packages from requirements/$what.lock (some minutes on a slow line)"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "requirements/$what.lock"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
    [ "$what" = dev ] && printf '%s' "$sum" > .venv/installed-demo
    printf '%s' "$sum" > "$stamp"
fi

# The tests hold the stores of readings against these two engines. They are unpacked, not installed:
# no service starts, and no right to install is needed.
engines=.venv/engines
if [ "$what" = dev ] && command -v apt-get >/dev/null; then
    for engine in influxdb:influxd victoria-metrics:victoria-metrics; do
        package=${engine%%:*} program=${engine##*:}
        [ ! -x "$engines/$program" ] || continue
        say "Unpacking $program for the tests"
        rm -rf "$engines/fetched" && mkdir -p "$engines/fetched"
        if (cd "$engines/fetched" && apt-get -qq download "$package" 2>/dev/null && dpkg -x ./*.deb .); then
            mv "$engines/fetched/usr/bin/$program" "$engines/$program"
        else
            say "The Debian package $package could not be fetched; the tests that need it are skipped."
        fi
        rm -rf "$engines/fetched"
    done
fi

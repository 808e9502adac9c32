#!/bin/sh
# Installs a gateway on a Raspberry Pi (Raspberry Pi OS or Debian 12 and later), as root, from an
# unpacked release:
#
#   sudo deploy/install-gateway.sh --gateway tan-binh --name "Tủ điều khiển Tân Bình" --platform https://nongso.example.vn
#
# Run again it changes nothing that is right: no key, no setting, no running version (that is
# "nongso gateway update"). Without --gateway it leaves the settings to you or to nongso restore.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
source=$(dirname "$here")
root=/opt/nongso
data=/srv/nongso
settings=$data/gateway/gateway.json
gateway='' name='' platform=''

say() { printf 'nongso: %s\n' "$*"; }
fail() {
    printf 'nongso: %s\n' "$*" >&2
    exit 1
}

while [ $# -gt 0 ]; do
    case $1 in
    --gateway | --name | --platform)
        [ $# -ge 2 ] || fail "$1 needs a value"
        case $1 in
        --gateway) gateway=$2 ;;
        --name) name=$2 ;;
        --platform) platform=$2 ;;
        esac
        shift 2
        ;;
    -h | --help)
        sed -n '2,/^set -eu/s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    *) fail "unknown: $1 (see --help)" ;;
    esac
done
[ "$(id -u)" = 0 ] || fail "this must be done as root: sudo $0 ..."
[ -f "$source/requirements/gateway.lock" ] || fail "$source is no unpacked release of nongso"
if [ -n "$gateway" ] && { [ -z "$name" ] || [ -z "$platform" ]; }; then
    fail "--gateway needs --name and --platform too"
fi

# --- what Debian has ---------------------------------------------------------------------
wanted=''
command -v mosquitto >/dev/null 2>&1 || [ -x /usr/sbin/mosquitto ] || wanted="$wanted mosquitto"
python3 -c 'import ensurepip, venv' 2>/dev/null || wanted="$wanted python3-venv"
if [ -n "$wanted" ]; then
    say "installing Debian's$wanted"
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update
    # shellcheck disable=SC2086  # a list of words
    apt-get -qq install -y --no-install-recommends $wanted
fi
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "Python 3.11 or newer is needed (Debian 12)"

# --- who runs it, and where its data lie --------------------------------------------------
if ! getent passwd nongso >/dev/null; then
    say "making the user nongso"
    useradd --system --home-dir "$data" --shell /usr/sbin/nologin nongso
fi
if getent group dialout >/dev/null; then
    usermod -a -G dialout nongso # serial converters
fi
install -d -o nongso -g nongso -m 0700 "$data" "$data/gateway" /var/backups/nongso
install -d -m 0755 "$root" "$root/slots" /etc/nongso

# --- the program, in the first of two slots ------------------------------------------------
if [ ! -e "$root/current/bin/nongso" ]; then
    say "installing the program into $root/slots/a (some minutes)"
    rm -rf "$root/slots/a"
    python3 -m venv "$root/slots/a"
    pip="$root/slots/a/bin/python -m pip --quiet --disable-pip-version-check"
    $pip install --require-hashes -r "$source/requirements/gateway.lock"
    $pip install --no-build-isolation --no-deps "$source"
    ln -s slots/a "$root/current.new"
    mv -T "$root/current.new" "$root/current"
else
    say "the program is there: $("$root/current/bin/nongso" --version) (newer: nongso gateway update)"
fi
for tool in settle keep-newest; do
    install -m 0755 "$here/$tool" "$root/$tool"
done
ln -sfn "$root/current/bin/nongso" /usr/local/bin/nongso

# --- settings: made once, never made anew ---------------------------------------------------
if [ -f "$settings" ]; then
    say "the settings $settings stay as they are"
elif [ -n "$gateway" ]; then
    runuser -u nongso -- "$root/current/bin/nongso" gateway init --settings "$settings" \
        --gateway "$gateway" --name "$name" --platform "$platform"
fi
if [ -f "$settings" ] && [ ! -e "$data/gateway/broker/passwords" ]; then
    runuser -u nongso -- "$root/current/bin/nongso" gateway broker --settings "$settings"
fi
if [ ! -f /etc/nongso/backup.env ]; then
    printf 'WHAT=--gateway %s\n' "$settings" >/etc/nongso/backup.env
fi

# --- services --------------------------------------------------------------------------------
for unit in settle.service broker.service valves.service gateway.service backup.service backup.timer; do
    install -m 0644 "$here/systemd/nongso-$unit" "/etc/systemd/system/nongso-$unit"
done
# The machine starts anew when it hangs, and its log does not eat the card.
install -d /etc/systemd/system.conf.d /etc/systemd/journald.conf.d
printf '[Manager]\nRuntimeWatchdogSec=15\n' >/etc/systemd/system.conf.d/nongso.conf
printf '[Journal]\nSystemMaxUse=100M\n' >/etc/systemd/journald.conf.d/nongso.conf
is_up() { [ -d /run/systemd/system ]; }
if is_up; then systemctl daemon-reload; fi
# Debian's own broker would sit on the port; one with settings of yours is left alone.
own=''
for file in /etc/mosquitto/conf.d/*.conf; do
    if [ -f "$file" ]; then own=yes; fi
done
if [ -z "$own" ]; then
    systemctl disable --quiet mosquitto.service 2>/dev/null || true
    if is_up; then systemctl stop mosquitto.service || true; fi
fi
systemctl enable --quiet nongso-settle.service nongso-broker.service nongso-valves.service nongso-gateway.service nongso-backup.timer
if ! is_up; then
    say "systemd does not run here; the services start with the machine"
elif [ -f "$settings" ]; then
    systemctl start nongso-broker.service nongso-valves.service nongso-gateway.service nongso-backup.timer
fi

if [ -f "$settings" ]; then
    say "done. The platform must know the gateway's key:"
    say "  sudo -u nongso nongso gateway key --settings $settings"
    say "Greenhouses, zones and stations are written into $settings (docs/contracts.md, section 2);"
    say "then: sudo systemctl restart nongso-valves nongso-gateway"
    say "Before stations can come in from the phone or by Wi-Fi, open the broker to the farm's network:"
    say "  sudo -u nongso nongso gateway stations --settings $settings --host 192.168.1.10   (this machine's address there)"
    say "then: sudo systemctl restart nongso-broker nongso-gateway"
    say "What is wrong, if anything: sudo -u nongso nongso doctor --gateway $settings"
else
    say "done, without settings. Either run this again with --gateway, --name and --platform, or"
    say "  sudo -u nongso nongso restore BACKUP --data $data   (then: systemctl start nongso-gateway)"
fi

#!/bin/sh
# wifi.sh - makes a radio part of a network that a mesh can use, on a Raspberry Pi or any other Linux machine.
#
#   sudo scripts/wifi.sh mesh INTERFACE CHANNEL NAME COUNTRY [PASSWORD_FILE]   802.11s; encrypted (SAE) with a password
#   sudo scripts/wifi.sh ibss INTERFACE CHANNEL NAME COUNTRY                   IBSS ("ad-hoc"), open
#   sudo scripts/wifi.sh down INTERFACE                                        out of the network again
#
# For example, on every node: sudo scripts/wifi.sh mesh wlan1 6 village DE /etc/noctule/wifi-password
# All nodes need the same CHANNEL, NAME and password. COUNTRY is the two letters of where you are. docs/wifi.md says more.
set -eu
. "$(dirname "$0")/lib.sh"

usage() {
    sed -n 's/^#   \(sudo.*\)/  \1/p' "$0" >&2
    exit 2
}

# frequency CHANNEL - its middle in MHz
frequency() {
    case $1 in '' | *[!0-9]*) die "CHANNEL must be a number" ;; esac
    if [ "$1" -ge 1 ] && [ "$1" -le 13 ]; then
        echo $((2407 + 5 * $1))
    elif [ "$1" -ge 36 ] && [ "$1" -le 177 ]; then
        echo $((5000 + 5 * $1))
    else
        die "channel $1 is neither in the 2.4 GHz band (1 to 13) nor in the 5 GHz band (36 to 177)"
    fi
}

# can TYPE - whether the radio of the interface can be one
can() {
    number=$(iw dev "$interface" info | sed -n 's/.*wiphy \([0-9]*\)/\1/p')
    iw "phy#$number" info | sed -n '/Supported interface modes/,/Band/p' | grep -q "\* $1\$"
}

# prepare COUNTRY TYPE - the interface is left alone by others, of the type, and up
prepare() {
    if command -v rfkill >/dev/null; then rfkill unblock wifi || true; fi
    # Raspberry Pi OS and desktops: NetworkManager would take the interface back.
    if command -v nmcli >/dev/null; then nmcli device set "$interface" managed no >/dev/null 2>&1 || true; fi
    iw reg set "$1" || echo "the country could not be set; going on" >&2
    ip link set "$interface" down
    iw dev "$interface" set type "$2"
    # The header of the mesh fits beside 1500 bytes: nothing needs to be cut.
    ip link set "$interface" mtu 1532 || echo "$interface carries no 1532 bytes: long frames will be cut" >&2
    ip link set "$interface" up
}

# settle - what makes either network better for a mesh; a driver may lack it
settle() {
    iw dev "$interface" set power_save off 2>/dev/null || true
    iw dev "$interface" set mcast_rate 12 2>/dev/null || echo "broadcasts stay at the lowest rate" >&2
    echo "$interface is in. Now: sudo noctule run --mesh bat0 --interface $interface"
}

join_mesh() {
    can "mesh point" || die "the radio of $interface has no 802.11s: try ibss, or a USB adapter that has it (docs/wifi.md)"
    mhz=$(frequency "$channel")
    if [ -z "$password_file" ]; then
        prepare "$country" mp
        iw dev "$interface" mesh join "$name" freq "$mhz" HT20
    else
        command -v wpa_supplicant >/dev/null || die "wpa_supplicant is missing: apt install wpasupplicant"
        password=$(cat "$password_file") || die "cannot read $password_file"
        [ "${#password}" -ge 8 ] || die "the password must have 8 characters or more"
        prepare "$country" mp
        configuration="$state.conf"
        (
            umask 077
            cat >"$configuration" <<CONFIGURATION
country=$country
network={
    mode=5
    ssid="$name"
    frequency=$mhz
    key_mgmt=SAE
    ieee80211w=2
    sae_password="$password"
}
CONFIGURATION
        )
        wpa_supplicant -B -P "$state.pid" -i "$interface" -D nl80211 -c "$configuration"
    fi
    # Noctule forwards, not 802.11s. It must be in the mesh for that, which takes wpa_supplicant a moment.
    tries=0
    until iw dev "$interface" set mesh_param mesh_fwding=0 2>/dev/null; do
        tries=$((tries + 1))
        [ $tries -lt 150 ] || die "$interface does not join: is channel $channel allowed in $country?"
        sleep 0.2
    done
    # A sleeping neighbour gets frames late; one that is awake costs a little power.
    iw dev "$interface" set mesh_param mesh_power_mode=active 2>/dev/null || true
    settle
}

join_ibss() {
    can IBSS || die "the radio of $interface has no IBSS: try mesh, or another adapter (docs/wifi.md)"
    mhz=$(frequency "$channel")
    prepare "$country" ibss
    # The cell's address is given: two halves of the network can never become two cells.
    iw dev "$interface" ibss join "$name" "$mhz" HT20 fixed-freq 02:ca:fe:ca:fe:40
    settle
}

leave() {
    if [ -e "$state.pid" ]; then
        kill "$(cat "$state.pid")" 2>/dev/null || true
        rm -f "$state.pid" "$state.conf"
    fi
    iw dev "$interface" mesh leave 2>/dev/null || iw dev "$interface" ibss leave 2>/dev/null || true
    ip link set "$interface" down
    iw dev "$interface" set type managed
    if command -v nmcli >/dev/null; then nmcli device set "$interface" managed yes >/dev/null 2>&1 || true; fi
}

case ${1:-} in
mesh) [ $# -eq 5 ] || [ $# -eq 6 ] || usage ;;
ibss) [ $# -eq 5 ] || usage ;;
down) [ $# -eq 2 ] || usage ;;
*) usage ;;
esac
need_root
for tool in iw ip; do command -v $tool >/dev/null || die "$tool is missing: apt install iw iproute2"; done
network=$1 interface=$2
iw dev "$interface" info >/dev/null 2>&1 || die "$interface is no Wi-Fi interface; \`iw dev\` lists them"
mkdir -p /run/noctule
state="/run/noctule/wifi-$interface"
if [ "$network" = down ]; then
    leave
    exit
fi
channel=$3 name=$4 country=$5 password_file=${6:-}
if [ "$network" = mesh ]; then join_mesh; else join_ibss; fi

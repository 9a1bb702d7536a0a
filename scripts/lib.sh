# shellcheck shell=sh
# lib.sh - what the scripts beside it share. Sourced, not run.

die() {
    echo "$(basename "$0"): $*" >&2
    exit 2
}

need_root() { [ "$(id -u)" = 0 ] || die "must be run as root: sudo $0"; }

# Finds noctule and makes sure that nothing is left of an earlier run.
start() {
    need_root
    command -v ip >/dev/null || die "ip is missing: apt install iproute2"
    root=$(cd "$(dirname "$0")/.." && pwd)
    # NOCTULE_PROGRAM names another one.
    for noctule in "${NOCTULE_PROGRAM:-}" "$root/target/release/noctule" "$root/target/debug/noctule" \
        "$(command -v noctule || true)"; do
        [ -x "$noctule" ] && break
    done
    [ -x "$noctule" ] || die "noctule is not built: cargo build --release"
    ip netns list | grep -q '^noctule[0-9]' && die "already up: take it down with $(dirname "$0")/down.sh"
    mkdir -p /run/noctule
}

# add_node N
add_node() {
    ip netns add "noctule$1"
    ip -n "noctule$1" link set lo up
}

# link A B - a veth pair; the interfaces of a node are e1, e2, ... in the order of their links
link() {
    a=$(next_interface "$1") b=$(next_interface "$2")
    ip link add "e$a" netns "noctule$1" address "$(mac "$1" "$a")" type veth \
        peer name "e$b" netns "noctule$2" address "$(mac "$2" "$b")"
    ip -n "noctule$1" link set "e$a" up
    ip -n "noctule$2" link set "e$b" up
}

next_interface() { echo $(($(ip -n "noctule$1" -o link show type veth | wc -l) + 1)); }
mac() { printf '02:ba:00:00:%02x:%02x' "$1" "$2"; }

# run_node N - noctule on all its interfaces
run_node() {
    arguments=""
    for i in $(ip -n "noctule$1" -o link show type veth | sed 's/^[0-9]*: \([^@:]*\).*/\1/' | sort); do
        arguments="$arguments --interface $i"
    done
    # shellcheck disable=SC2086
    ip netns exec "noctule$1" "$noctule" run --mesh bat0 --socket "/run/noctule/noctule$1.sock" $arguments \
        </dev/null >"/run/noctule/noctule$1.log" 2>&1 &
    echo $! >"/run/noctule/noctule$1.pid"
    tries=0
    until ip -n "noctule$1" link show bat0 >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || die "node $1 does not start, see /run/noctule/noctule$1.log"
        sleep 0.1
    done
    ip -n "noctule$1" addr add "10.99.0.$1/24" dev bat0
}

# explain COUNT
explain() {
    cat <<TEXT
$1 nodes are up. Try:
  sudo ip netns exec noctule1 ping 10.99.0.$1
  sudo $noctule --socket /run/noctule/noctule1.sock originators
  sudo $noctule --socket /run/noctule/noctule1.sock traceroute $(mac "$1" 1)
Link quality rises for about a minute. Take it down with: sudo $(dirname "$0")/down.sh
TEXT
}

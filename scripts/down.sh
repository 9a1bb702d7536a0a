#!/bin/sh
# down.sh - takes down what chain.sh or diamond.sh made.
#
#   sudo scripts/down.sh
set -eu
. "$(dirname "$0")/lib.sh"
need_root
for file in /run/noctule/noctule*.pid; do
    [ -e "$file" ] || continue
    kill "$(cat "$file")" 2>/dev/null || true
done
# Each node takes away its socket before it ends; only then can another one take its place.
for file in /run/noctule/noctule*.pid; do
    [ -e "$file" ] || continue
    tries=0
    while [ -e "${file%.pid}.sock.lock" ] && kill -0 "$(cat "$file")" 2>/dev/null && [ $tries -lt 100 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    rm -f "$file" "${file%.pid}.log"
done
for ns in $(ip netns list | sed -n 's/^\(noctule[0-9]*\).*/\1/p'); do ip netns delete "$ns"; done
# It may hold the sockets of other nodes.
rmdir /run/noctule 2>/dev/null || true

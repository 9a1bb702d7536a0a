#!/bin/sh
# down.sh - takes down what chain.sh or diamond.sh made.
#
#   sudo scripts/down.sh
set -eu
. "$(dirname "$0")/lib.sh"
need_root
for pid in /run/noctule/noctule*.pid; do
    [ -e "$pid" ] || continue
    kill "$(cat "$pid")" 2>/dev/null || true
    rm -f "$pid"
done
for ns in $(ip netns list | sed -n 's/^\(noctule[0-9]*\).*/\1/p'); do ip netns delete "$ns"; done

#!/bin/sh
# chain.sh - a chain of mesh nodes on this machine, to play with by hand.
#
#   sudo scripts/chain.sh [COUNT]        default 4
#
# Node N lives in the network namespace noctuleN and has the address 10.99.0.N on bat0. Links are veth pairs:
#
#   noctule1 --- noctule2 --- noctule3 --- noctule4
#
# Take it down with scripts/down.sh.
set -eu
. "$(dirname "$0")/lib.sh"
count=${1:-4}
case $count in '' | *[!0-9]*) die "COUNT must be a number" ;; esac
if [ "$count" -lt 2 ] || [ "$count" -gt 99 ]; then die "COUNT must be 2 to 99"; fi

start
for n in $(seq 1 "$count"); do add_node "$n"; done
for n in $(seq 1 $((count - 1))); do link "$n" $((n + 1)); done
for n in $(seq 1 "$count"); do run_node "$n"; done
explain "$count"

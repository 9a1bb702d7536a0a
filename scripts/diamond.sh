#!/bin/sh
# diamond.sh - two ways between two mesh nodes on this machine, to watch a detour being found.
#
#   sudo scripts/diamond.sh
#
#               noctule2
#              /        \
#     noctule1            noctule4
#              \        /
#               noctule3
#
# Which way is taken:   sudo ip netns exec noctule1 noctule --socket /run/noctule/noctule1.sock traceroute 02:ba:00:00:04:01
# Silence a relay:      sudo ip netns exec noctule2 sh -c 'ip link set e1 down; ip link set e2 down'
# Take it down with scripts/down.sh.
set -eu
. "$(dirname "$0")/lib.sh"

start
for n in 1 2 3 4; do add_node $n; done
link 1 2
link 1 3
link 2 4
link 3 4
for n in 1 2 3 4; do run_node $n; done
explain 4

#!/bin/sh
# Builds the program with Debian's clang: `build.sh FOLDER` puts the objects there, for both byte orders. Without an
# argument they go beside the source, where the crate takes them from.
set -eu
cd "$(dirname "$0")"
to=${1:-.}
for order in el eb; do
    clang -target "bpf$order" -mcpu=v2 -O2 -g0 -Wall -Wextra -Werror \
        -c redirect.bpf.c -o "$to/redirect.bpf$order.o"
done

/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Sorts what arrives on a hard interface, before the kernel's own network code sees it: what the data socket of the `packet`
 * backend would take goes to the AF_XDP socket of its queue, everything else goes up as if this program were not here.
 * In doubt a frame goes up, where the packet sockets take it: that is never wrong, only slower. Nothing is dropped here. */

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SECTION(name) __attribute__((section(name), used))

/* How a map is to be made: what loaders read from the section "maps". */
struct map {
    u32 type;
    u32 key_size;
    u32 value_size;
    u32 max_entries;
    u32 flags;
};

/* The frame, as an XDP program sees it: the names are those of the kernel. */
struct xdp_md {
    u32 data;
    u32 data_end;
    u32 data_meta;
    u32 ingress_ifindex;
    u32 rx_queue_index;
    u32 egress_ifindex;
};

static long (*const redirect_map)(const struct map *map, u64 key, u64 otherwise) = (void *)51;

/* Kind of the map, and the verdict "as if this program were not here". */
#define SOCKETS 17
#define UP 2

#define ETHERNET_LEN 14
/* OGM, ELP, OGM2: for the engine, by its own socket. */
#define IS_CONTROL(type) ((type) == 0x00 || (type) == 0x03 || (type) == 0x04)
/* What fits a chunk of the memory that frames are put in: `umem.rs`. */
#define LONGEST (4096 - 256)

/* By queue. */
SECTION("maps") struct map sockets = { SOCKETS, sizeof(u32), sizeof(u32), 16, 0 };

SECTION("xdp") int noctule_redirect(struct xdp_md *frame)
{
    u8 *data = (u8 *)(long)frame->data;
    u8 *end = (u8 *)(long)frame->data_end;

    /* A frame without a type byte, and one that the socket would have to drop. */
    if (data + ETHERNET_LEN + 1 > end || data + LONGEST < end)
        return UP;
    if (data[12] != 0x43 || data[13] != 0x05 || IS_CONTROL(data[ETHERNET_LEN]))
        return UP;
    /* A queue without a socket: up. */
    return redirect_map(&sockets, frame->rx_queue_index, UP);
}

SECTION("license") char terms[] = "Dual MIT/GPL";

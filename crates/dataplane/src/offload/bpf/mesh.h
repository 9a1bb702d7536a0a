/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Frames of the mesh, and the maps that the programs share. `layout.rs` has the same structures; `offload/mirror.rs` fills
 * the maps. */

#define ETHERNET_LEN 14
#define UNICAST_LEN 10
#define UNICAST_4ADDR_LEN 18
#define FRAGMENT_LEN 20
#define TAG_LEN 4
#define COMPAT_VERSION 15
#define TTL_FULL 50

/* What is known of this node as a whole. */
struct node {
    /* Until when all of this holds, on the clock of `coarse_nanoseconds`: a daemon that has died stops to renew it. */
    u64 lease;
    /* How many clients are in `departed`. */
    u32 departed;
    u32 reserved;
};

/* A hard interface on which frames arrive, by its index in the kernel. */
struct arrival {
    u8 mac[6];
    /* Its number in the mesh. */
    u16 place;
};

/* An originator, as seen by what arrives on one interface (FWD-110). */
struct route_key {
    u8 originator[6];
    u16 place;
};

struct route {
    /* The interface that leads to the next hop, by its index in the kernel. */
    u32 ifindex;
    /* The longest packet that the next hop gets, outer header not counted. */
    u32 carries;
    /* Its place in `by_route`. */
    u32 slot;
    /* The outer header (FWD-112). */
    u8 to[6];
    u8 from[6];
    /* The last table version known of the originator. */
    u8 ttvn;
    u8 reserved[3];
};

struct client {
    u8 mac[6];
    u16 vid;
};

/* What was forwarded; bytes with the outer header. */
struct counts {
    u64 packets;
    u64 bytes;
    u64 fragments;
    u64 fragment_bytes;
};

struct route_counts {
    u64 frames;
    u64 bytes;
};

SECTION("maps") struct map node = { ARRAY, sizeof(u32), sizeof(struct node), 1, 0 };
SECTION("maps") struct map arrivals = { HASH, sizeof(u32), sizeof(struct arrival), 16, 0 };
SECTION("maps") struct map routes = { HASH, sizeof(struct route_key), sizeof(struct route), 8192, NO_PREALLOC };
/* Clients that were ours and have roamed away: frames for them must be looked at (FWD-66 step 2). */
SECTION("maps") struct map departed = { HASH, sizeof(struct client), sizeof(u32), 4096, NO_PREALLOC };
/* By the number in the mesh of the interface on which it arrived. */
SECTION("maps") struct map by_arrival = { PERCPU_ARRAY, sizeof(u32), sizeof(struct counts), 16, 0 };
SECTION("maps") struct map by_route = { PERCPU_ARRAY, sizeof(u32), sizeof(struct route_counts), 8192, 0 };

static ALWAYS_INLINE int is_same(const u8 *a, const u8 *b)
{
    return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3] && a[4] == b[4] && a[5] == b[5];
}

static ALWAYS_INLINE void copy(u8 *to, const u8 *from)
{
    to[0] = from[0];
    to[1] = from[1];
    to[2] = from[2];
    to[3] = from[3];
    to[4] = from[4];
    to[5] = from[5];
}

static ALWAYS_INLINE u32 number(const u8 *bytes)
{
    return (u32)bytes[0] << 8 | bytes[1];
}

/* Length of the longest fragment of the packet that one of `len` bytes of data belongs to, as far as it can tell: all have
 * the same length but for the head, which may be shorter by less than its number (WIRE-53). */
static ALWAYS_INLINE u32 longest(u32 len, u32 behind, u32 total)
{
    u32 rest = total > len ? total - len : 0;
    u32 each = len;
    if (behind != 0 && rest % behind == 0)
        each = rest / behind;
    return FRAGMENT_LEN + (each >= len && each <= len + behind ? each : len);
}

/* The 802.1d priority that a client's frame shows (FWD-43). */
static ALWAYS_INLINE u32 priority_of(const u8 *inner, u32 len)
{
    u32 ethertype = number(inner + 12);
    if (ethertype == 0x8100)
        return len >= ETHERNET_LEN + TAG_LEN ? inner[14] >> 5 : 0;
    if (ethertype == 0x0800)
        return len >= ETHERNET_LEN + 20 ? inner[15] >> 5 : 0;
    if (ethertype == 0x86dd)
        return len >= ETHERNET_LEN + 40 ? (inner[14] & 0x0f) >> 1 : 0;
    return 0;
}

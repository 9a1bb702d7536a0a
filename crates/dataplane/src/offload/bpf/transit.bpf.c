/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Forwards unicast in transit inside the kernel (docs/protocol/05-forwarding.md, section 8). It runs for each frame that
 * arrives on a hard interface, before any packet socket sees it.
 *
 * A frame that is forwarded here is one that the daemon would forward without having to think: everything it looks at is
 * in the maps, and the outcome is the same bytes. Whatever is not plain goes up untouched: that is never wrong, only
 * slower. So each doubt ends in UP, and nothing is dropped here.
 *
 * `layout.rs` has the same structures; `offload/mirror.rs` fills the maps. */

#include "kernel.h"

#define ETHERNET_LEN 14
#define UNICAST_LEN 10
#define UNICAST_4ADDR_LEN 18
#define FRAGMENT_LEN 20
#define TAG_LEN 4
#define COMPAT_VERSION 15

/* The longest part of a frame that is looked at: outer and 4-address header, inner header with tag. */
#define LOOKED_AT (ETHERNET_LEN + UNICAST_4ADDR_LEN + ETHERNET_LEN + TAG_LEN)

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

SECTION("classifier") int noctule_transit(struct __sk_buff *frame)
{
    u32 len = frame->len;
    u32 ifindex = frame->ifindex;
    u32 zero = 0;

    /* A tag that the kernel has taken out: another network's, or a priority, which the daemon knows how to treat. And
     * nothing that must still be cut. */
    if (frame->vlan_present || frame->gso_segs > 1)
        return UP;

    u32 need = len < LOOKED_AT ? len : LOOKED_AT;
    if ((u8 *)(long)frame->data + need > (u8 *)(long)frame->data_end && pull_data(frame, need))
        return UP;
    u8 *data = (u8 *)(long)frame->data;
    u8 *end = (u8 *)(long)frame->data_end;
    /* Every packet that can be forwarded is at least this long. */
    if (data + ETHERNET_LEN + UNICAST_LEN > end)
        return UP;

    if (data[12] != 0x43 || data[13] != 0x05)
        return UP;
    struct arrival *arrival = lookup(&arrivals, &ifindex);
    if (!arrival || !is_same(data, arrival->mac))
        return UP;
    /* A group cannot have sent it (WIRE-11). */
    if (data[6] & 1)
        return UP;
    struct node *self = lookup(&node, &zero);
    if (!self || coarse_nanoseconds() > self->lease)
        return UP;

    u8 *packet = data + ETHERNET_LEN;
    u8 type = packet[0];
    u32 packet_len = len - ETHERNET_LEN;
    if (packet[1] != COMPAT_VERSION || packet[2] < 2)
        return UP;

    struct route_key key = { .place = arrival->place };
    copy(key.originator, packet + 4);
    struct route *route = lookup(&routes, &key);
    if (!route || packet_len > route->carries)
        return UP;

    u32 priority = 0;
    int is_fragment = 0;
    if (type == 0x40 || type == 0x42) {
        u32 offset = type == 0x40 ? UNICAST_LEN : UNICAST_4ADDR_LEN;
        u8 *inner = packet + offset;
        if (inner + ETHERNET_LEN > end)
            return UP;
        /* The bytes behind the inner header that tell the VLAN and the priority. A short frame may lack them. */
        u8 behind[2] = { 0, 0 };
        if (inner + ETHERNET_LEN + 2 <= end) {
            behind[0] = inner[14];
            behind[1] = inner[15];
        }
        u8 head[16];
        copy(head, inner);
        head[12] = inner[12];
        head[13] = inner[13];
        head[14] = behind[0];
        head[15] = behind[1];
        u32 inner_len = packet_len - offset;
        priority = priority_of(head, inner_len);
        if (!(head[0] & 1)) {
            if (self->departed) {
                struct client client = { .vid = 0 };
                copy(client.mac, head);
                if (number(head + 12) == 0x8100 && inner_len >= ETHERNET_LEN + TAG_LEN) {
                    u32 id = number(head + 14) & 0x0fff;
                    client.vid = id ? 0x8000 | id : 0;
                }
                if (lookup(&departed, &client))
                    return UP;
            }
            /* The sender's idea of who has the client is older than ours (FWD-66 step 4). */
            if ((u8)(packet[3] - route->ttvn) > 128)
                return UP;
        }
    } else if (type == 0x41) {
        if (packet + FRAGMENT_LEN > end)
            return UP;
        /* Parts of a packet that would fit, or that fit badly, are put together first (FWD-116). */
        u32 total = number(packet + 18);
        if (total <= route->carries)
            return UP;
        if (longest(packet_len - FRAGMENT_LEN, packet[3] >> 4, total) > route->carries)
            return UP;
        struct route_key maker = { .place = arrival->place };
        copy(maker.originator, packet + 10);
        if (!lookup(&routes, &maker))
            return UP;
        priority = packet[3] >> 1 & 7;
        is_fragment = 1;
    } else if (type < 0x45 || type > 0x7f) {
        /* Below: OGMs, broadcasts, ICMP, TVLVs. */
        return UP;
    }

    u32 place = arrival->place;
    struct counts *counts = lookup(&by_arrival, &place);
    if (counts) {
        if (is_fragment) {
            counts->fragments += 1;
            counts->fragment_bytes += len;
        } else {
            counts->packets += 1;
            counts->bytes += len;
        }
    }
    u32 slot = route->slot;
    struct route_counts *to = lookup(&by_route, &slot);
    if (to) {
        to->frames += 1;
        to->bytes += len;
    }

    packet[2] -= 1;
    copy(data, route->to);
    copy(data + 6, route->from);
    /* As the kernel counts them (802.1d behind 256); none is the ordinary one. */
    frame->priority = priority ? 256 + priority : 0;
    return redirect(route->ifindex, 0);
}

SECTION("license") char terms[] = "Dual MIT/GPL";

/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Forwards unicast inside the kernel (docs/protocol/05-forwarding.md): `noctule_transit` runs for each frame that arrives on
 * a hard interface, before any packet socket sees it, and `noctule_host` for each that leaves by the mesh interface.
 *
 * A frame that is forwarded here is one that the daemon would forward without having to think: everything it looks at is
 * in the maps, and the outcome is the same bytes. Whatever is not plain goes up untouched: that is never wrong, only
 * slower. So each doubt ends in UP, and nothing is dropped here.
 */

#include "kernel.h"
#include "mesh.h"
#include "host.h"

/* The longest part of a frame that is looked at: outer and 4-address header, inner header with tag. */
#define LOOKED_AT (ETHERNET_LEN + UNICAST_4ADDR_LEN + ETHERNET_LEN + TAG_LEN)

SECTION("classifier") int noctule_transit(struct __sk_buff *frame)
{
    u32 len = frame->len;
    u32 ifindex = frame->ifindex;
    u32 zero = 0;

    /* A tag that the kernel has taken out: another network's, or a priority, which the daemon knows how to treat. And
     * nothing that must still be cut. */
    if (frame->vlan_present || frame->gso_segs > 1 || frame->gso_size)
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

    struct host *mesh_interface = lookup(&host, &zero);
    if (mesh_interface && mesh_interface->ifindex && is_same(packet + 4, mesh_interface->originator)) {
        if (type != 0x40) {
            /* What this is a part of is put together by the daemon; what follows at once must not overtake it. */
            if (type == 0x41)
                mesh_interface->slow_until = coarse_nanoseconds() + SLOW_FOR;
            return UP;
        }
        return deliver(frame, mesh_interface, packet[3]);
    }

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

SECTION("classifier") int noctule_host(struct __sk_buff *frame)
{
    u32 zero = 0;
    struct node *self = lookup(&node, &zero);
    struct host *mesh_interface = lookup(&host, &zero);
    if (!self || coarse_nanoseconds() > self->lease || !mesh_interface || !mesh_interface->ifindex)
        return UP;
    return send(frame);
}

SECTION("license") char terms[] = "Dual MIT/GPL";

/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Plain unicast between hosts here and the mesh. "Plain" is what the daemon would only wrap or unwrap: an untagged IP packet
 * without anything that ARP, neighbour discovery, DHCP or their caches want to see, between clients that both tables know. */

/* How long frames go by way of the daemon after one that must: longer than the daemon takes, so that none overtakes. */
#define SLOW_FOR 200000000ull
/* What is put before a host's frame, or taken away. */
#define WRAPPING (ETHERNET_LEN + UNICAST_LEN)
#define IPV4_LEN 20
#define IPV6_LEN 40
#define PORTS_LEN 4
#define TCP 6
/* TCP segments from here on, with their Ethernet header, go by way of the daemon: it joins them, which costs the host less
 * than each by itself. */
#define LONG_SEGMENT 512

/* The mesh interface. */
struct host {
    /* What arrives goes by way of the daemon until then. */
    u64 slow_until;
    /* Its index; 0: everything goes by way of the daemon. */
    u32 ifindex;
    /* Our originator address, and the version of our table. */
    u8 originator[6];
    u8 ttvn;
    u8 reserved[5];
};

/* A client here. */
struct local {
    /* When it last sent a frame that did not go by way of the daemon. */
    u64 seen;
};

/* A client elsewhere. */
struct remote {
    /* Frames to it, and from it, go by way of the daemon until then. */
    u64 slow_to;
    u64 slow_from;
    u8 originator[6];
    u8 reserved[2];
};

struct originator {
    u8 mac[6];
    u16 reserved;
};

struct host_counts {
    u64 sent;
    u64 sent_bytes;
    u64 delivered;
    u64 delivered_bytes;
    /* For lack of memory, half way. */
    u64 lost;
};

SECTION("maps") struct map host = { ARRAY, sizeof(u32), sizeof(struct host), 1, 0 };
SECTION("maps") struct map locals = { HASH, sizeof(struct client), sizeof(struct local), 4096, NO_PREALLOC };
SECTION("maps") struct map remotes = { HASH, sizeof(struct client), sizeof(struct remote), 8192, NO_PREALLOC };
/* Ways from here: the default view. */
SECTION("maps") struct map ways = { HASH, sizeof(struct originator), sizeof(struct route), 2048, NO_PREALLOC };
SECTION("maps") struct map by_host = { PERCPU_ARRAY, sizeof(u32), sizeof(struct host_counts), 1, 0 };

static ALWAYS_INLINE int is_dhcp(u32 port)
{
    return port == 67 || port == 68 || port == 546 || port == 547;
}

/* The protocol of an Ethernet frame in which only who sends and receives matters; 0 if more does. */
static ALWAYS_INLINE u32 plain_protocol(const u8 *inner, const u8 *end)
{
    const u8 *ip = inner + ETHERNET_LEN;
    const u8 *ports;
    u8 protocol;
    if (ip + IPV4_LEN + PORTS_LEN > end)
        return 0;
    u32 ethertype = number(inner + 12);
    if (ethertype == 0x0800) {
        /* Options, and parts of packets: rare, and their ports are elsewhere. */
        if (ip[0] != 0x45 || number(ip + 6) & 0x3fff)
            return 0;
        protocol = ip[9];
        ports = ip + IPV4_LEN;
        if (protocol == 1)
            return protocol;
    } else if (ethertype == 0x86dd) {
        if (ip + IPV6_LEN + PORTS_LEN > end)
            return 0;
        protocol = ip[6];
        ports = ip + IPV6_LEN;
    } else {
        return 0;
    }
    if (protocol == 17)
        return is_dhcp(number(ports)) || is_dhcp(number(ports + 2)) ? 0 : protocol;
    return protocol == TCP ? protocol : 0;
}

/* Makes the kernel read the ethertype anew: it knows a frame's protocol beside the frame, and goes by that when it leaves a
 * checksum to the hardware. A tag comes and goes; the second one makes the kernel write the first into the frame, and
 * look at what is behind when it takes it out. */
static ALWAYS_INLINE int read_ethertype(struct __sk_buff *frame)
{
    u16 tag = 0x8100;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    tag = 0x0081;
#endif
    return vlan_push(frame, tag, 1) || vlan_push(frame, tag, 1) || vlan_pop(frame) || vlan_pop(frame);
}

static ALWAYS_INLINE struct host_counts *host_counts(void)
{
    u32 zero = 0;
    return lookup(&by_host, &zero);
}

/* Half way, the frame is neither what came nor what should go. */
static ALWAYS_INLINE int lose(void)
{
    struct host_counts *counts = host_counts();
    if (counts)
        counts->lost += 1;
    return DROP;
}

/* A unicast packet for this node: takes the wrapping off, and hands it to the host (FWD-120). */
static ALWAYS_INLINE int deliver(struct __sk_buff *frame, struct host *to, u8 ttvn)
{
    u32 need = WRAPPING + ETHERNET_LEN + IPV6_LEN + PORTS_LEN;
    if (frame->len < WRAPPING + ETHERNET_LEN + IPV4_LEN + PORTS_LEN)
        return UP;
    if (need > frame->len)
        need = frame->len;
    if ((u8 *)(long)frame->data + need > (u8 *)(long)frame->data_end && pull_data(frame, need))
        return UP;
    u8 *data = (u8 *)(long)frame->data;
    u8 *end = (u8 *)(long)frame->data_end;
    u8 *inner = data + WRAPPING;
    if (inner + ETHERNET_LEN > end)
        return UP;
    u32 protocol = plain_protocol(inner, end);
    if (!protocol)
        return UP;
    /* The sender's idea of our clients is older than ours (FWD-66). */
    u64 now = coarse_nanoseconds();
    if ((u8)(ttvn - to->ttvn) > 128 || now < to->slow_until)
        return UP;
    if ((inner[0] | inner[6]) & 1)
        return UP;
    struct client client = { .vid = 0 };
    copy(client.mac, inner);
    if (!lookup(&locals, &client))
        return UP;
    copy(client.mac, inner + 6);
    struct remote *from = lookup(&remotes, &client);
    if (!from)
        return UP;
    if (protocol == TCP && frame->len >= WRAPPING + LONG_SEGMENT) {
        from->slow_from = now + SLOW_FOR;
        return UP;
    }
    if (now < from->slow_from)
        return UP;
    u8 ethernet[ETHERNET_LEN + 2];
    copy(ethernet, inner);
    copy(ethernet + 6, inner + 6);
    ethernet[12] = inner[12];
    ethernet[13] = inner[13];
    u32 len = frame->len - WRAPPING;
    u32 ifindex = to->ifindex;

    /* `adjust_room` wants IP behind the Ethernet header. */
    data[12] = 0x08;
    data[13] = 0x00;
    if (read_ethertype(frame) || adjust_room(frame, -WRAPPING, BEHIND_ETHERNET, 0))
        return lose();
    data = (u8 *)(long)frame->data;
    end = (u8 *)(long)frame->data_end;
    if (data + ETHERNET_LEN > end)
        return lose();
    copy(data, ethernet);
    copy(data + 6, ethernet + 6);
    data[12] = ethernet[12];
    data[13] = ethernet[13];
    struct host_counts *counts = host_counts();
    if (counts) {
        counts->delivered += 1;
        counts->delivered_bytes += len;
    }
    return redirect(ifindex, TO_INGRESS);
}

/* A frame of a host: wraps it, and sends it to the originator that has the receiver (FWD-46 to FWD-49). */
static ALWAYS_INLINE int send(struct __sk_buff *frame)
{
    u32 len = frame->len;
    if (frame->vlan_present || len < ETHERNET_LEN + IPV4_LEN + PORTS_LEN)
        return UP;
    u32 need = ETHERNET_LEN + IPV6_LEN + PORTS_LEN;
    if (need > len)
        need = len;
    if ((u8 *)(long)frame->data + need > (u8 *)(long)frame->data_end && pull_data(frame, need))
        return UP;
    u8 *data = (u8 *)(long)frame->data;
    u8 *end = (u8 *)(long)frame->data_end;
    if (data + ETHERNET_LEN + IPV4_LEN > end)
        return UP;
    struct client client = { .vid = 0 };
    copy(client.mac, data);
    struct remote *remote = lookup(&remotes, &client);
    if (!remote)
        return UP;
    u64 now = coarse_nanoseconds();
    struct originator key = { .reserved = 0 };
    copy(key.mac, remote->originator);
    struct route *way = lookup(&ways, &key);
    if (!way)
        return UP;
    /* What must be cut, the daemon cuts; what follows at once must not overtake it. */
    if (frame->gso_segs > 1 || frame->gso_size || len + UNICAST_LEN > way->carries) {
        remote->slow_to = now + SLOW_FOR;
        return UP;
    }
    if (now < remote->slow_to || !plain_protocol(data, end))
        return UP;
    copy(client.mac, data + 6);
    struct local *local = lookup(&locals, &client);
    if (!local)
        return UP;
    u8 head[16];
    copy(head, data);
    head[12] = data[12];
    head[13] = data[13];
    head[14] = data[14];
    head[15] = data[15];
    u32 priority = priority_of(head, len);
    u8 ttvn = way->ttvn;
    u32 ifindex = way->ifindex;

    if (change_head(frame, WRAPPING, 0))
        return UP;
    local->seen = now;
    data = (u8 *)(long)frame->data;
    end = (u8 *)(long)frame->data_end;
    if (data + WRAPPING > end)
        return lose();
    copy(data, way->to);
    copy(data + 6, way->from);
    data[12] = 0x43;
    data[13] = 0x05;
    u8 *packet = data + ETHERNET_LEN;
    packet[0] = 0x40;
    packet[1] = COMPAT_VERSION;
    packet[2] = TTL_FULL;
    packet[3] = ttvn;
    copy(packet + 4, key.mac);
    if (read_ethertype(frame))
        return lose();
    frame->priority = priority ? 256 + priority : 0;
    struct host_counts *counts = host_counts();
    if (counts) {
        counts->sent += 1;
        counts->sent_bytes += len;
    }
    return redirect(ifindex, 0);
}

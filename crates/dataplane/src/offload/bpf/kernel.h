/* What the programs use of the kernel's interface for BPF. Written out here, so that a build needs no header of any
 * system and gives the same object everywhere. */

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SECTION(name) __attribute__((section(name), used))
#define ALWAYS_INLINE inline __attribute__((always_inline))

/* Kinds of maps, and flags for making one. */
enum {
    HASH = 1,
    ARRAY = 2,
    PERCPU_ARRAY = 6,
    /* Memory for an entry is taken when the entry is made. */
    NO_PREALLOC = 1,
};

/* How a map is to be made: what loaders read from the section "maps". */
struct map {
    u32 type;
    u32 key_size;
    u32 value_size;
    u32 max_entries;
    u32 flags;
};

/* The frame, as a TC program sees it. Only some fields can be read, fewer written: the names are those of the kernel. */
struct __sk_buff {
    u32 len;
    u32 pkt_type;
    u32 mark;
    u32 queue_mapping;
    u32 protocol;
    u32 vlan_present;
    u32 vlan_tci;
    u32 vlan_proto;
    u32 priority;
    u32 ingress_ifindex;
    u32 ifindex;
    u32 tc_index;
    u32 cb[5];
    u32 hash;
    u32 tc_classid;
    u32 data;
    u32 data_end;
    u32 napi_id;
    u32 addresses[13];
    u32 data_meta;
    u64 flow_keys;
    u64 tstamp;
    u32 wire_len;
    u32 gso_segs;
    u64 sk;
    u32 gso_size;
};

/* Helpers, by their numbers. */
static void *(*const lookup)(const struct map *map, const void *key) = (void *)1;
static long (*const vlan_push)(struct __sk_buff *frame, u16 protocol, u16 tci) = (void *)18;
static long (*const vlan_pop)(struct __sk_buff *frame) = (void *)19;
static long (*const redirect)(u32 ifindex, u64 flags) = (void *)23;
static long (*const pull_data)(struct __sk_buff *frame, u32 len) = (void *)39;
static long (*const change_head)(struct __sk_buff *frame, u32 len, u64 flags) = (void *)43;
static long (*const adjust_room)(struct __sk_buff *frame, int difference, u32 mode, u64 flags) = (void *)50;
static u64 (*const coarse_nanoseconds)(void) = (void *)160;

enum {
    /* For `redirect`: as if it had arrived there. */
    TO_INGRESS = 1,
    /* For `adjust_room`: behind the Ethernet header. */
    BEHIND_ETHERNET = 1,
};

/* The verdict that takes a frame out of the world. */
#define DROP 2

/* The verdict "as if this program were not here": the next program, if there is one, and then the host. */
#define UP (-1)

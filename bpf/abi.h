/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The contract between the BPF programs and the daemon: every map key, value and limit, once.
 * Read by bpf/, core/dataplane/ and test/bpf/ only. Addresses and ports are in network byte order,
 * everything else in the host's. Padding is written out. Change anything here, and HW_ABI_VERSION
 * changes too: maps are pinned under a folder of that name and outlive the daemon.
 */
#ifndef HOPWISE_BPF_ABI_H
#define HOPWISE_BPF_ABI_H

#include <linux/types.h>

#ifdef __cplusplus
#define HW_SIZE(type, bytes)                                                                       \
	static_assert(sizeof(struct type) == (bytes), #type " changed its size")
#else
#define HW_SIZE(type, bytes)                                                                       \
	_Static_assert(sizeof(struct type) == (bytes), #type " changed its size")
#endif

#define HW_ABI_VERSION	   1
#define HW_BUCKETS	   1024 /* a group; a power of two */
#define HW_MAX_GROUPS	   256	/* ids 1..255: 0 means "leave it to the kernel" */
#define HW_MAX_GROUP_PATHS 16
#define HW_MAX_PATHS	   2048 /* ids 1..2047 */
#define HW_MAX_NEXTHOPS	   512	/* ids 1..511 */
#define HW_MAX_ROUTES	   1048576
#define HW_MAX_FLOWS	   262144

/* What became of a packet on LAN ingress. Every one but `steered` means TC_ACT_UNSPEC, untouched.
 */
#define HW_REASONS(X)                                                                              \
	X(STEERED, "steered", "redirected to the chosen nexthop")                                  \
	X(NOT_IP, "not_ip", "neither IPv4 nor IPv6")                                               \
	X(NOT_FOR_US, "not_for_us", "multicast, broadcast or another host's MAC address")          \
	X(VLAN, "vlan", "carries a VLAN tag")                                                      \
	X(MALFORMED, "malformed", "truncated or inconsistent header")                              \
	X(OPTIONS, "options", "IPv4 options or an unknown IPv6 extension header")                  \
	X(PROTOCOL, "protocol", "no TCP, UDP or ICMP echo")                                        \
	X(NO_ROUTE, "no_route", "no route of ours covers the destination")                         \
	X(KERNEL_ROUTE, "kernel_route", "the longest match is left to the kernel")                 \
	X(LEASE_OVER, "lease_over", "the daemon has not renewed its lease")                        \
	X(NO_NEXTHOP, "no_nexthop", "no path of the group is usable")                              \
	X(TTL, "ttl", "TTL or hop limit runs out here")                                            \
	X(MTU, "mtu", "larger than the nexthop's MTU")

enum hw_reason {
#define HW_REASON_ENUM(id, name, help) HW_REASON_##id,
	HW_REASONS(HW_REASON_ENUM)
#undef HW_REASON_ENUM
	    HW_REASON_COUNT
};

/* hw_lease: one entry, what every packet needs. */
struct hw_lease {
	__u64 expires_ns; /* CLOCK_MONOTONIC; weights are trusted until then */
	__u32 hash_seed;  /* random, the same as long as the maps live; 0: not drawn yet */
	__u32 pad;
};
HW_SIZE(hw_lease, 16);

/* hw_routes4, hw_routes6 (LPM tries): prefix -> __u32 group; 0 leaves it to the kernel. */
struct hw_route4 {
	__u32 prefixlen;
	__u8 address[4];
};
HW_SIZE(hw_route4, 8);

struct hw_route6 {
	__u32 prefixlen;
	__u8 address[16];
};
HW_SIZE(hw_route6, 20);

/* hw_groups (array by group id). path[] is dense; count 0: no such group. */
struct hw_group {
	__u32 count;
	__u32 pad;
	__u32 path[HW_MAX_GROUP_PATHS];
};
HW_SIZE(hw_group, 8 + 4 * HW_MAX_GROUP_PATHS);

/* hw_buckets (array by group id * HW_BUCKETS + bucket). The daemon writes `path`, the data path
 * `last_used_ms` (CLOCK_MONOTONIC milliseconds, modulo 2^32). */
struct hw_bucket {
	__u32 path; /* 0: empty */
	__u32 last_used_ms;
};
HW_SIZE(hw_bucket, 8);

#define HW_PATH_USABLE 1u /* the engine lets flows use it */

/* hw_paths (array by path id). nexthop 0: no such path. */
struct hw_path {
	__u32 group;
	__u32 nexthop;
	__u32 flags;
	__u32 pad;
};
HW_SIZE(hw_path, 16);

#define HW_NEXTHOP_USABLE 1u /* link up and neighbour resolved */

/* hw_nexthops (array by nexthop id). ifindex 0: no such nexthop. */
struct hw_nexthop {
	__u32 ifindex;
	__u16 family; /* of the gateway: AF_INET or AF_INET6 */
	__u16 flags;
	__u8 gateway[16];
};
HW_SIZE(hw_nexthop, 24);

/* hw_flows (LRU hash): the 5-tuple in the direction LAN -> WAN. For ICMP echo the identifier is in
 * both ports; for fragments (every one, the first too) both ports are 0. IPv4 in the first 4 bytes.
 */
struct hw_flow_key {
	__u8 source[16];
	__u8 destination[16];
	__u16 source_port;
	__u16 destination_port;
	__u8 family; /* 4 or 6 */
	__u8 protocol;
	__u16 pad;
} __attribute__((aligned(4))); /* it is hashed by words */
HW_SIZE(hw_flow_key, 40);

struct hw_flow {
	__u32 path;
	__u32 nexthop; /* the flow sticks to this, also when its group changes */
	__u64 last_seen_ns;
	__u64 packets; /* forward */
	__u64 bytes;
};
HW_SIZE(hw_flow, 32);

/* hw_traffic (per-CPU array by path id). */
struct hw_traffic {
	__u64 forward_packets;
	__u64 forward_bytes;
	__u64 reverse_packets;
	__u64 reverse_bytes;
};
HW_SIZE(hw_traffic, 32);

/* hw_reasons (per-CPU array by enum hw_reason): __u64 packets. */

#endif

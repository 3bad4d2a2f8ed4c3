/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The contract between the BPF programs and the daemon: every map key, value and limit, once.
 * Read by bpf/, core/dataplane/ and test/bpf/ only. Addresses and ports are in network byte order,
 * everything else in the host's. Padding is written out. Change anything here, and HW_ABI_VERSION
 * changes too: maps are pinned under a folder of that name and outlive the daemon.
 *
 * Times are CLOCK_MONOTONIC's. The data path stores those of its coarse reading, which costs next
 * to nothing and lags by up to a tick, except where it says "exact": a coarse reading may be before
 * an exact one that was stored earlier.
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

#define HW_ABI_VERSION	   3
#define HW_BUCKETS	   1024 /* a group; a power of two */
#define HW_MAX_GROUPS	   4095 /* ids 1..4094: what fits 12 bits of a route, with two meanings more */
#define HW_MAX_GROUP_PATHS 16
#define HW_MAX_PATHS	   8192 /* ids 1..8191 */
#define HW_MAX_NEXTHOPS	   4096 /* ids 1..4095 */
#define HW_MAX_FLOWS	   262144
#define HW_MAX_EMBRYOS	   65536
#define HW_MAX_CLASSES	   8 /* of traffic, with 0: what no rule matches */
#define HW_MAX_CLASS_RULES 32

/* What became of a packet. All but `steered` are TC_ACT_UNSPEC, their bytes untouched. */
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
	X(MTU, "mtu", "larger than the nexthop's MTU")                                             \
	X(CONTROL, "control", "of the control group, which the kernel routes")                     \
	X(MARKED, "marked", "carries a firewall mark of somebody else's")                          \
	X(IN_PLACE, "in_place", "local traffic that leaves by the chosen nexthop already")         \
	X(FRAGMENT, "fragment", "behind a datagram's first fragment, whose mark the whole takes")  \
	X(UNKNOWN_FLOW, "unknown_flow",                                                            \
	  "marks: begun before; whoever bound it to an uplink goes on")                            \
	X(HELD, "held", "marks: its uplink is not usable now, and its source address belongs there")

enum hw_reason {
#define HW_REASON_ENUM(id, name, help) HW_REASON_##id,
	HW_REASONS(HW_REASON_ENUM)
#undef HW_REASON_ENUM
	    HW_REASON_COUNT
};

/* hw_counts (per-CPU array by enum hw_count): __u64. Events beside the packet's own fate. */
#define HW_COUNTS(X)                                                                               \
	X(FLOW_NEW, "flow_new", "flows that got an entry")                                         \
	X(FLOW_PROMOTED, "flow_promoted", "flows that proved to be alive and got a lasting entry") \
	X(FLOW_GUARDED, "flow_guarded", "packets of new flows served without an entry: too many")  \
	X(FLOW_REFUSED, "flow_refused", "flows for which the kernel had no entry left")            \
	X(FLOW_MOVED, "flow_moved", "flows that left their nexthop for another")                   \
	X(ESCAPED, "escaped", "flows that left a nexthop by themselves: it carried them nowhere")  \
	X(ESCAPE_UNTOLD, "escape_untold", "escapes of which the daemon was not told: ring full")   \
	X(SENT_DIRECT, "sent_direct", "packets sent to a link-layer address kept here")            \
	X(SENT_RESOLVED, "sent_resolved", "packets whose neighbour the kernel looked up")

enum hw_count {
#define HW_COUNT_ENUM(id, name, help) HW_COUNT_##id,
	HW_COUNTS(HW_COUNT_ENUM)
#undef HW_COUNT_ENUM
	    HW_COUNT_COUNT
};

/* What does not change while a program is loaded: `const volatile`, so that the verifier drops what
 * is switched off. Shares are of 65536. */
enum hw_actuator {
	HW_ACTUATOR_REDIRECT, /* out of the nexthop at once, past the stack */
	HW_ACTUATOR_MARK,     /* skb->mark: the nexthop's rule and table route it */
};

struct hw_settings {
	__u32 actuator;		/* enum hw_actuator */
	__u32 measure;		/* 0: passive measurement is off */
	__u32 escape;		/* 0: flows never move by themselves */
	__u32 hold;		/* 1: weights are trusted also when the lease has run out */
	__u32 control_share;	/* of flow hashes: left to the kernel */
	__u32 sample_share;	/* of flow hashes, in HW_AFFINITY_BUCKET: have an entry */
	__u32 new_flows_per_ms; /* a CPU; beyond, new flows get no entry */
	__u32 tick_ns;		/* the coarse clock's step */
};
HW_SIZE(hw_settings, 32);

/* hw_router: one entry, what every packet needs. */
struct hw_router {
	__u64 expires_ns;    /* CLOCK_MONOTONIC; weights are trusted until then; 0: not at all */
	__u64 neighbours_ns; /* CLOCK_MONOTONIC; HW_NEXTHOP_DIRECT is trusted until then */
	__u32 hash_seed;     /* random, the same as long as the maps live; 0: not drawn yet */
	__u16 default4;	     /* group of 0.0.0.0/0, as in hw_routes4 */
	__u16 default6;	     /* group of ::/0 */
	__u32 class_rules; /* entry of hw_classes << HW_CLASS_ENTRY | rules in use there; 0: none */
	__u32 pad;
};
HW_SIZE(hw_router, 32);

#define HW_CLASS_ENTRY	 16
#define HW_CLASS_ENTRIES 2 /* one is in use, the other is filled */

/* Where a route stands for a group: */
#define HW_ROUTE_NONE	0    /* no route of ours */
#define HW_ROUTE_KERNEL 4095 /* a route that is left to the kernel */

/*
 * hw_routes4: DIR-24-8. Slot address >> 8 holds a group, or, with HW_SLOT4_BLOCK, the number of a
 * block of 256 slots in hw_blocks4 for the last 8 bits. Four slots an entry: the kernel rounds an
 * entry up to 8 bytes.
 */
#define HW_SLOT4_BLOCK 0x8000u
#define HW_MAX_BLOCKS4 16384 /* 0 is not used */

struct hw_slots4 {
	__u16 slot[4];
};
HW_SIZE(hw_slots4, 8);
#define HW_ROUTES4_ENTRIES ((1u << 24) / 4)
#define HW_BLOCK4_ENTRIES  (256 / 4)

/*
 * hw_routes6: slot of the address' first 20 bits; then hw_nodes6, 4 bits a node, a cache line each.
 * A slot is child << HW_SLOT6_CHILD | group: the deepest slot on the way whose group is not
 * HW_ROUTE_NONE is the longest match; child 0 ends the way.
 */
#define HW_SLOT6_CHILD	12
#define HW_SLOT6_GROUP	0xfffu
#define HW_ROUTES6_BITS 20
#define HW_NODE6_BITS	4
#define HW_MAX_NODES6	786432 /* 0 is not used */

struct hw_slots6 {
	__u32 slot[2];
};
HW_SIZE(hw_slots6, 8);
#define HW_ROUTES6_ENTRIES ((1u << HW_ROUTES6_BITS) / 2)

struct hw_node6 {
	__u32 slot[1 << HW_NODE6_BITS];
};
HW_SIZE(hw_node6, 64);

/* How a group's flows keep their nexthop. */
enum hw_affinity {
	HW_AFFINITY_FLOW,    /* as long as it is usable */
	HW_AFFINITY_FLOWLET, /* until a gap longer than flowlet_gap_ms; then the bucket decides */
	HW_AFFINITY_BUCKET,  /* they follow the bucket; only a sample of them has an entry */
};

/* Whose traffic a group carries: for the next daemon, no program reads it. */
enum hw_group_kind {
	HW_GROUP_PLAIN,
	HW_GROUP_CLASS,	      /* of one class, over the nexthops of other groups */
	HW_GROUP_DESTINATION, /* to one prefix */
};

#define HW_GROUP_DRY_RUN 1u /* new flows are all of the control group */

/* hw_groups (array by group id). path[] is dense; count 0: no such group. */
struct hw_group {
	__u32 count;
	__u16 affinity; /* enum hw_affinity */
	__u16 flowlet_gap_ms;
	__u16 class_group[HW_MAX_CLASSES]; /* that serves the class here; 0: this one. [0] is unused
					    */
	__u8 traffic_class;		   /* of a group for one class */
	__u8 kind;			   /* enum hw_group_kind */
	__u16 flags;			   /* HW_GROUP_* */
	__u32 pad;
	__u32 path[HW_MAX_GROUP_PATHS];
};
HW_SIZE(hw_group, 32 + 4 * HW_MAX_GROUP_PATHS);

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
	__u32 kernel_weight; /* routing's own, for the next daemon; no program reads it. 0: a
			      * candidate; a group has a path that is none */
};
HW_SIZE(hw_path, 16);

#define HW_NEXTHOP_USABLE 1u /* link up and neighbour resolved */
#define HW_NEXTHOP_DIRECT 2u /* `link` and `mtu` hold, while neighbours_ns lasts */
#define HW_NEXTHOP_HELD	  4u /* kept out although both are: BFD. For `hopwise verify` alone */

/* hw_nexthops (array by nexthop id). ifindex 0: no such nexthop. */
struct hw_nexthop {
	__u32 ifindex;
	__u16 family; /* of the gateway: AF_INET or AF_INET6 */
	__u16 flags;
	__u8 gateway[16];
	__u8 link[12]; /* Ethernet destination, then source */
	__u32 mark;    /* skb->mark that routes to it; 0: none */
	__u32 mtu;     /* of the interface, without the Ethernet header */
	__u32 pad;
};
HW_SIZE(hw_nexthop, 48);

/*
 * hw_flows, hw_embryos (LRU hashes): the 5-tuple in the direction LAN -> WAN. For ICMP echo the
 * identifier is in both ports; for fragments (every one, the first too) both ports are 0. IPv4 in
 * the first 4 bytes. An embryo has not proved yet to be more than a first packet and its answer:
 * a flood of such cannot push out the others.
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

/*
 * hw_classes (HW_CLASS_ENTRIES): which class a packet is of. The first rule that matches, else 0.
 * What a rule does not name matches anything. IPv4 in the first 4 bytes; masks are of leading bits.
 */
#define HW_RULE_SOURCE	    1u /* looks at the source address ... */
#define HW_RULE_DESTINATION 2u
#define HW_RULE_PORTS	    4u /* matches nothing that has no ports, nor a fragment */

struct hw_class_rule {
	__u64 dscp; /* bit N: matches DSCP N */
	__u8 source[16];
	__u8 source_mask[16];
	__u8 destination[16];
	__u8 destination_mask[16];
	__u16 source_port[2]; /* first, last; the host's byte order */
	__u16 destination_port[2];
	__u8 family;	    /* 4 or 6; 0: any */
	__u8 protocol;	    /* 0: any; ICMP's number means that of both families */
	__u8 looks_at;	    /* HW_RULE_* */
	__u8 traffic_class; /* 1 to HW_MAX_CLASSES - 1 */
	__u32 pad;
};
HW_SIZE(hw_class_rule, 88);

struct hw_class_rules {
	struct hw_class_rule rule[HW_MAX_CLASS_RULES];
};
HW_SIZE(hw_class_rules, 88 * HW_MAX_CLASS_RULES);

/* What was seen of a flow's own packets: bpf/measure.h only. */
struct hw_seen {
	__u64 stamp_ns;	   /* exact: when the packet that is being timed went by; 0: none is */
	__u64 progress_ns; /* when the peer last showed that something arrived, or the oldest data
			    * that it has not acknowledged went by; 0: not known */
	__u64 high_ns;	   /* when `high` last grew; QUIC, exact: the last edge of the spin bit */
	__u32 stamp;	   /* what the answer to the timed packet shows */
	__u32 high;	   /* TCP: end of the highest data sent */
	__u32 acked;	   /* TCP: the highest acknowledgement seen */
	__u32 peer;	   /* TCP: end of the highest data that came back */
	__u32 timestamp;   /* TCP: the highest TSval sent */
	__u32 rtt_us;	   /* smoothed; 0: not known */
	__u32 rtt_deviation_us;
	__u32 segments;	     /* TCP: with data */
	__u32 retransmitted; /* of these */
	__u16 state;	     /* HW_SEEN_* */
	__u8 stamp_kind;     /* enum hw_rtt_kind */
	__u8 quic;	     /* HW_QUIC_* */
};
HW_SIZE(hw_seen, 64);

/* Marks: a flow whose nexthop is not usable is sent there all the same for so long. */
#define HW_HOLD_NS 30000000000ull

#define HW_FLOW_CONTROL	 1u /* of the control group: nexthop is 0 */
#define HW_FLOW_ANSWERED 2u /* something came back */
#define HW_FLOW_PROVEN	 4u /* TCP: its sender has seen what came back */

struct hw_flow {
	__u32 path;    /* index of hw_traffic: a path's id, or HW_CONTROL_PATH(group) */
	__u32 nexthop; /* 0: the kernel's own choice */
	__u64 started_ns;
	__u64 last_seen_ns; /* forward */
	__u64 moved_ns;	    /* when it last left a nexthop; 0: never */
	__u64 packets;	    /* forward */
	__u64 bytes;
	__u64 reverse_packets;
	__u64 reverse_bytes;
	__u16 flags;
	__u16 shunned; /* nexthop of the bucket when the flow last escaped, see bpf/choice.h */
	__u8 escapes;  /* used up */
	__u8 pad[3];
	struct hw_seen seen;
};
HW_SIZE(hw_flow, 72 + 64);

/* Paths, then one for each group's control flows. */
#define HW_MAX_TRAFFIC	       (HW_MAX_PATHS + HW_MAX_GROUPS)
#define HW_CONTROL_PATH(group) (HW_MAX_PATHS + (group))

/* hw_traffic (per-CPU array, HW_MAX_TRAFFIC entries). Packets are those on the wire. */
struct hw_traffic {
	__u64 forward_packets;
	__u64 forward_bytes;
	__u64 reverse_packets;
	__u64 reverse_bytes;
	__u64 segments;	     /* TCP with data, forward */
	__u64 retransmitted; /* of these */
	__u64 acks;	     /* TCP acknowledgements, reverse, of connections that use ECN */
	__u64 ece_acks;	     /* of these, with ECE: congestion on the forward path */
	__u64 escapes;	     /* flows that left by themselves */
	__u64 pad;
};
HW_SIZE(hw_traffic, 80);

/*
 * hw_rtt (per-CPU hash, entries made by the daemon): passive round-trip times, router to peer and
 * back. A log-linear histogram of microseconds: exact below 16, then 16 buckets an octave up to
 * 2^24, the last one open (bpf/rtt.h). `weak` times (QUIC's spin bit) have entries of their own.
 */
enum hw_rtt_kind {
	HW_RTT_TIMESTAMP, /* TCP TSval -> TSecr, RFC 7323 */
	HW_RTT_HANDSHAKE, /* SYN -> SYN-ACK, or SYN-ACK -> ACK */
	HW_RTT_SEQUENCE,  /* end of data -> acknowledgement, by Karn's rule */
	HW_RTT_ECHO,	  /* ICMP echo passing through */
	HW_RTT_QUIC,	  /* Initial -> the server's first packet */
	HW_RTT_SPIN,	  /* RFC 9000, 17.4: weak */
	HW_RTT_KINDS,
};

#define HW_RTT_BUCKETS 336

struct hw_rtt_key {
	__u32 path; /* index of hw_traffic */
	__u32 weak;
};
HW_SIZE(hw_rtt_key, 8);

struct hw_rtt {
	__u64 sum_us;
	__u32 samples[HW_RTT_KINDS];
	__u32 bucket[HW_RTT_BUCKETS];
};
HW_SIZE(hw_rtt, 8 + 4 * HW_RTT_KINDS + 4 * HW_RTT_BUCKETS);

/* hw_events (ring buffer): a flow left a nexthop by itself. */
struct hw_escape {
	__u64 at_ns;
	__u32 group;
	__u32 from; /* nexthops */
	__u32 to;
	__u32 pad;
};
HW_SIZE(hw_escape, 24);

/* hw_budget (per-CPU, one entry): flow entries made in this millisecond. */
struct hw_budget {
	__u32 ms;
	__u16 begun;
	__u16 promoted;
};
HW_SIZE(hw_budget, 8);

/* hw_reasons (per-CPU array by enum hw_reason): __u64 packets. */

/*
 * The staging device's program, an object of its own. Nothing of it is pinned: it ends with the
 * daemon, and HW_ABI_VERSION does not speak of it.
 *
 * hw_staged (hash by skb->mark): where a probe with that mark goes.
 */
struct hw_staged {
	__u32 ifindex;
	__u16 family; /* of the gateway: AF_INET or AF_INET6; 0: none, on the link */
	__u16 pad;
	__u8 gateway[16];
};
HW_SIZE(hw_staged, 24);

/* hw_stage_counts (per-CPU array by enum hw_stage_count): packets. All but `sent` end. */
#define HW_STAGE_COUNTS(X)                                                                         \
	X(SENT, "sent", "handed to their nexthop's interface")                                     \
	X(UNKNOWN, "unknown",                                                                      \
	  "of a mark without a nexthop, or of a family that it does not carry")                    \
	X(TOO_BIG, "too_big", "larger than the interface's MTU")

enum hw_stage_count {
#define HW_STAGE_COUNT_ENUM(id, name, help) HW_STAGE_##id,
	HW_STAGE_COUNTS(HW_STAGE_COUNT_ENUM)
#undef HW_STAGE_COUNT_ENUM
	    HW_STAGE_COUNT_COUNT
};

#endif

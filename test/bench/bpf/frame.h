/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The packets of the benchmarks: a flow's fixed fields, and how a frame is made of them. Read by
 * the BPF programs here and by the benchmark itself. Every field of every frame is written anew
 * each time: the live-frame generator recycles its pages, and the programs under test change what
 * they are given.
 */
#ifndef HOPWISE_BENCH_FRAME_H
#define HOPWISE_BENCH_FRAME_H

#include <linux/types.h>

#define BENCH_MAX_FLOWS	 (1u << 20)
#define BENCH_PAYLOAD	 32 /* bytes of a TCP segment's data */
#define BENCH_FRAME4_TCP (14 + 20 + 32 + BENCH_PAYLOAD)
#define BENCH_FRAME6_TCP (14 + 40 + 32 + BENCH_PAYLOAD)
#define BENCH_FRAME4_UDP (14 + 20 + 8 + BENCH_PAYLOAD)
#define BENCH_FRAME6_UDP (14 + 40 + 8 + BENCH_PAYLOAD)

/* Addresses and ports in network byte order. One cache line: a generator reads one a packet. */
struct bench_flow {
	__u8 source[16];
	__u8 destination[16];
	__u16 source_port;
	__u16 destination_port;
	__u16 ip_sum; /* IPv4 header checksum of the forward frame */
	__u16 ip_sum_back;
	__u8 family; /* 4 or 6 */
	__u8 protocol;
	__u8 pad[22];
} __attribute__((aligned(64)));

/* What a generator sends: written by the benchmark, `next` by the generator. */
struct bench_plan {
	__u64 next;	/* packets so far; the flow is next % flows */
	__u32 flows;	/* 0: nothing is sent */
	__u32 back;	/* 1: answers, with the ends swapped */
	__u32 answered; /* round of the forward packets that answers acknowledge */
	__u32 begins;	/* 1: TCP's SYNs and their answers */
	__u8 link[12];	/* Ethernet destination, then source */
	__u8 pad2[4];
};

/* What bpf/packet.h is to do, and what came of it. */
enum bench_mode {
	BENCH_WRITE,  /* the base of the two others */
	BENCH_STEER,  /* the whole program */
	BENCH_LOOKUP, /* the route look-up alone */
};

struct bench_run {
	__u32 mode;
	__u32 next;  /* flow; the last is followed by the first, in the next round */
	__u32 round; /* packets of each flow before */
	__u32 flows;
	__u32 count; /* packets */
	__u32 touch; /* flows to be read before the clock starts */
	__u32 back;  /* bench_frame only: the answer's frame */
	__u32 taken; /* adds up packets that were redirected, or routes found */
	__u32 sum;
	__u32 pad;
	__u64 ns; /* out: of the loop */
};

#ifdef __bpf__
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>

/* What changes from one packet of a flow to the next. */
struct bench_moment {
	__u32 round;  /* packets of this flow before this one */
	__u32 back;   /* an answer, to the forward packet of the same round */
	__u32 begins; /* SYN, or SYN-ACK */
};

struct bench_tcp {
	struct tcphdr header;
	__u8 option[4]; /* no-operation twice, then timestamps */
	__be32 tsval;
	__be32 tsecr;
};

/* Time stamps grow with every round; RFC 7323 asks for no more than that they do. */
static __always_inline bool bench_write_tcp(void *at, void *data_end, __be16 from, __be16 to,
					    const struct bench_moment *moment)
{
	struct bench_tcp *tcp = at;
	__u32 sent = moment->round * BENCH_PAYLOAD + 1000;

	if ((void *)(tcp + 1) > data_end)
		return false;
	tcp->header.source = from;
	tcp->header.dest = to;
	tcp->header.seq = bpf_htonl(moment->back ? 1 : sent);
	tcp->header.ack_seq = bpf_htonl(moment->back ? sent + BENCH_PAYLOAD : 1);
	((__be16 *)tcp)[6] = bpf_htons(!moment->begins ? 0x8010 /* 32 bytes, ACK */
				       : moment->back  ? 0x8012
						       : 0x8002);
	tcp->header.window = bpf_htons(1000);
	tcp->header.check = 0;
	tcp->header.urg_ptr = 0;
	tcp->option[0] = tcp->option[1] = 1;
	tcp->option[2] = 8;
	tcp->option[3] = 10;
	tcp->tsval = bpf_htonl(moment->back ? 1 : moment->round + 1000);
	tcp->tsecr = bpf_htonl(moment->back ? moment->round + 1000 : 1);
	return true;
}

static __always_inline bool bench_write_transport(void *at, void *data_end,
						  const struct bench_flow *flow,
						  const struct bench_moment *moment)
{
	__be16 from = moment->back ? flow->destination_port : flow->source_port;
	__be16 to = moment->back ? flow->source_port : flow->destination_port;
	struct udphdr *udp = at;

	if (flow->protocol == IPPROTO_TCP)
		return bench_write_tcp(at, data_end, from, to, moment);
	if ((void *)(udp + 1) > data_end)
		return false;
	udp->source = from;
	udp->dest = to;
	udp->len = bpf_htons(sizeof(*udp) + BENCH_PAYLOAD);
	udp->check = 0;
	return true;
}

/* From the Ethernet header's end on. */
static __always_inline bool bench_write_ip(void *at, void *data_end, const struct bench_flow *flow,
					   const struct bench_moment *moment)
{
	const __u8 *from = moment->back ? flow->destination : flow->source;
	const __u8 *to = moment->back ? flow->source : flow->destination;
	__u32 bytes = (flow->protocol == IPPROTO_TCP ? 32 : 8) + BENCH_PAYLOAD;

	if (flow->family == 4) {
		struct iphdr *ip = at;

		if ((void *)(ip + 1) > data_end)
			return false;
		*(__be16 *)ip = bpf_htons(0x4500);
		ip->tot_len = bpf_htons(sizeof(*ip) + bytes);
		ip->id = 0;
		ip->frag_off = bpf_htons(0x4000);
		ip->ttl = 64;
		ip->protocol = flow->protocol;
		ip->check = moment->back ? flow->ip_sum_back : flow->ip_sum;
		__builtin_memcpy(&ip->saddr, from, 4);
		__builtin_memcpy(&ip->daddr, to, 4);
		return bench_write_transport(ip + 1, data_end, flow, moment);
	} else {
		struct ipv6hdr *ip = at;

		if ((void *)(ip + 1) > data_end)
			return false;
		*(__be32 *)ip = bpf_htonl(0x60000000);
		ip->payload_len = bpf_htons(bytes);
		ip->nexthdr = flow->protocol;
		ip->hop_limit = 64;
		__builtin_memcpy(&ip->saddr, from, 16);
		__builtin_memcpy(&ip->daddr, to, 16);
		return bench_write_transport(ip + 1, data_end, flow, moment);
	}
}
#endif

#endif

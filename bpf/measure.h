/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What a flow's own packets tell of its path: round-trip times, retransmissions, ECN's echoes, and
 * that nothing comes back at all.
 *
 * One packet of a flow is being timed at any moment: `stamp` is what its answer will show. Of TCP
 * that is its TSval (RFC 7323) where there are timestamps: of data whose TSval is higher than any
 * before it, so that no earlier packet can be what is answered. Else it is the end of its data, or
 * of SYN and SYN-ACK the number after it. Of ICMP echo it is the sequence number, of QUIC the
 * client's connection id in the handshake and the spin bit's value from then on. A stamp is
 * dropped, not answered, when data is repeated or reordered meanwhile (Karn), when the flow moves,
 * and when it is too old. An answer to what was never sent is no answer. All comparisons of
 * sequence numbers and timestamps are of signed 32-bit differences.
 *
 * Times include the peer's delay before it acknowledges, and are as exact as the moment at which
 * the packets pass this router.
 *
 * Data is retransmitted when all or a part of it is below the highest that was sent, unless it came
 * so soon after that and so little below that the network has reordered it. Not counted: SYN and
 * FIN, keep-alives (a byte that was acknowledged long ago) and probes of a closed window. Of an
 * aggregate the share that was sent before counts. After a move, what was sent before it says
 * nothing of the new path.
 *
 * ECN's echoes count on connections that negotiated it by RFC 3168. Accurate ECN (RFC 9768) uses
 * the same bits for a counter: such connections are left out. A receiver repeats an echo until the
 * sender reacts, so the share of such acknowledgements is no share of marked packets.
 */
#ifndef HOPWISE_BPF_MEASURE_H
#define HOPWISE_BPF_MEASURE_H

#include <stdbool.h>

#include "maps.h"
#include "parse.h"
#include "quic.h"
#include "rtt.h"
#include "settings.h"
#include "tcp.h"

/* hw_seen.state */
#define HW_SEEN_HIGH   0x01u  /* `high` is known */
#define HW_SEEN_ACKED  0x02u  /* `acked` is known */
#define HW_SEEN_PEER   0x04u  /* `peer` is known */
#define HW_SEEN_TIMES  0x08u  /* `timestamp` is known */
#define HW_SEEN_SYN    0x10u  /* SYN or SYN-ACK was sent and nothing after it; `acked` follows it */
#define HW_SEEN_CALLED 0x20u  /* that was a SYN: it takes a SYN-ACK to answer it */
#define HW_SEEN_ASKED  0x40u  /* it offered ECN */
#define HW_SEEN_ECN    0x80u  /* both ends use ECN */
#define HW_SEEN_CLOSED 0x100u /* the peer's window is closed */

/* hw_seen.quic */
#define HW_QUIC_ASKED	 0x01u /* an Initial was sent */
#define HW_QUIC_ANSWERED 0x02u
#define HW_QUIC_HIGH	 0x04u /* spin bit of the last packet forward */
#define HW_QUIC_PEER	 0x08u /* and back */
#define HW_QUIC_SPINS	 0x10u /* there was a packet forward with a spin bit */
#define HW_QUIC_ANSWERS	 0x20u /* and back */
#define HW_QUIC_STRIKE	 0x40u /* counts up to 3 in the highest two bits: not a spin bit then */
#define HW_QUIC_STRIKES	 0xc0u

#define HW_MS 1000000ull

/* A longer time is no time of a path. What was stamped this long ago makes room for a newer one. */
#define HW_RTT_MAX_NS  (10000 * HW_MS)
#define HW_PATIENCE_NS (3000 * HW_MS)

/* A SYN or an Initial that is repeated so long after the first was not answered: both are repeated
 * after 1 s (RFC 6298, 2.1; RFC 9002, 6.2: 999 ms) and timers may be early by a tick. */
#define HW_UNANSWERED_NS (900 * HW_MS)

/* An Initial that follows so soon is the rest of a long ClientHello. */
#define HW_QUIC_FLIGHT_NS (20 * HW_MS)

/* Reordering, RFC 8985: less than 3 segments back, and a quarter of the round-trip time. */
#define HW_REORDER_SEGMENTS 3
#define HW_REORDER_NS	    (1 * HW_MS)

static __always_inline struct hw_traffic *hw_traffic_of(__u32 path)
{
	return hw_settings.measure ? bpf_map_lookup_elem(&hw_traffic, &path) : NULL;
}

static __always_inline void hw_stamp(struct hw_seen *seen, __u8 kind, __u32 stamp, __u64 now_ns)
{
	if (seen->stamp_ns && now_ns - seen->stamp_ns < HW_PATIENCE_NS)
		return;
	seen->stamp = stamp;
	seen->stamp_kind = kind;
	seen->stamp_ns = now_ns;
}

static __always_inline bool hw_timed(const struct hw_seen *seen, __u8 kind)
{
	return seen->stamp_ns && seen->stamp_kind == kind;
}

/* A sub-program of its own, verified once: it is needed at every kind of answer. */
__weak __noinline int hw_record(__u32 path, __u32 kind, __u32 us)
{
	struct hw_rtt_key key = {.path = path, .weak = kind == HW_RTT_SPIN};
	struct hw_rtt *rtt = bpf_map_lookup_elem(&hw_rtt, &key);
	__u64 bucket = hw_rtt_bucket(us), method = kind;

	hw_opaque(bucket); /* what is compared is what is used */
	hw_opaque(method);
	if (!rtt || method >= HW_RTT_KINDS || bucket >= HW_RTT_BUCKETS)
		return 0;
	rtt->sum_us += us;
	rtt->samples[method]++;
	rtt->bucket[bucket]++;
	return 0;
}

/* What was timed has been answered. */
static __always_inline void hw_answered(struct hw_flow *flow, __u64 now_ns)
{
	struct hw_seen *seen = &flow->seen;
	__u64 ns = now_ns - seen->stamp_ns;
	__u8 kind = seen->stamp_kind;

	seen->stamp_ns = 0;
	if (ns > HW_RTT_MAX_NS)
		return;
	if (kind != HW_RTT_SPIN)
		hw_rtt_smooth(seen, ns / 1000);
	if (hw_settings.measure)
		hw_record(flow->path, kind, ns / 1000);
}

/* Unanswered for `limit_ns`, as of the first time it is asked. */
static __always_inline bool hw_silent(struct hw_seen *seen, __u64 limit_ns, __u64 now_ns)
{
	if (seen->progress_ns == 0)
		seen->progress_ns = now_ns;
	return now_ns - seen->progress_ns >= limit_ns;
}

/*
 * SYN or SYN-ACK. A repeated SYN without an answer is a sign of a black hole; a SYN-ACK is not: the
 * SYN that it answers may have come from a forged address.
 */
static __always_inline bool hw_tcp_syn(struct hw_seen *seen, const struct hw_tcp *tcp, __u64 now_ns)
{
	const __u16 ecn = tcp->flags & (HW_TCP_ECE | HW_TCP_CWR | HW_TCP_AE);
	bool called = !(tcp->flags & HW_TCP_ACK);

	if ((seen->state & HW_SEEN_SYN) && seen->acked == tcp->sequence + 1) {
		seen->stamp_ns = 0;
		return called && !(seen->state & HW_SEEN_ACKED) &&
		       hw_silent(seen, HW_UNANSWERED_NS, now_ns);
	}
	/* A connection begins, perhaps with an old one's ports. */
	seen->state = HW_SEEN_HIGH | HW_SEEN_SYN;
	if (called)
		seen->state |= HW_SEEN_CALLED;
	if (called && ecn == (HW_TCP_ECE | HW_TCP_CWR))
		seen->state |= HW_SEEN_ASKED;
	if (!called && ecn == HW_TCP_ECE)
		seen->state |= HW_SEEN_ECN;
	if (tcp->timestamps)
		seen->state |= HW_SEEN_TIMES;
	seen->timestamp = tcp->timestamp;
	seen->acked = tcp->sequence + 1;
	seen->high = tcp->sequence + 1 + tcp->payload;
	seen->high_ns = seen->progress_ns = now_ns;
	seen->stamp_ns = 0;
	hw_stamp(seen, HW_RTT_HANDSHAKE, seen->acked, now_ns);
	return false;
}

/* Keep-alives, and what is sent to hear whether a closed window has opened. */
static __always_inline bool hw_tcp_probes(const struct hw_seen *seen, const struct hw_tcp *tcp)
{
	if (!(seen->state & HW_SEEN_ACKED))
		return false;
	return (tcp->payload <= 1 && tcp->sequence + 1 == seen->acked) ||
	       ((seen->state & HW_SEEN_CLOSED) && (__s32)(tcp->sequence - seen->acked) <= 0);
}

static __always_inline bool hw_tcp_reordered(const struct hw_seen *seen, __u32 end, __u32 segment,
					     __u64 now_ns)
{
	__u64 window_ns = seen->rtt_us * 250ull;

	if (window_ns < HW_REORDER_NS)
		window_ns = HW_REORDER_NS;
	return seen->high - end < HW_REORDER_SEGMENTS * segment &&
	       now_ns - seen->high_ns < window_ns;
}

static __always_inline void hw_count_segments(struct hw_flow *flow, __u32 packets, __u32 again)
{
	struct hw_seen *seen = &flow->seen;
	struct hw_traffic *traffic = hw_traffic_of(flow->path);

	seen->segments += packets;
	seen->retransmitted += again;
	if (!traffic)
		return;
	traffic->segments += packets;
	if (seen->high_ns > flow->moved_ns)
		traffic->retransmitted += again;
}

/*
 * The first `before` bytes of this data were sent before. True when they are sent again after
 * nothing new has come back for a retransmission time-out.
 */
static __always_inline bool hw_tcp_again(struct hw_flow *flow, const struct hw_tcp *tcp,
					 __u32 before, __u32 packets, __u64 now_ns)
{
	struct hw_seen *seen = &flow->seen;
	__u32 end = tcp->sequence + tcp->payload;
	__u32 again = packets;

	if (hw_tcp_probes(seen, tcp))
		return false;
	seen->stamp_ns = 0;
	if (before < tcp->payload)
		again = ((__u64)before * packets + tcp->payload - 1) / tcp->payload;
	else if (hw_tcp_reordered(seen, end, tcp->payload / packets, now_ns))
		again = 0;
	hw_count_segments(flow, packets, again);
	if (again == 0 || ((seen->state & HW_SEEN_ACKED) && (__s32)(end - seen->acked) <= 0))
		return false;
	return hw_silent(seen, hw_rto_ns(seen), now_ns);
}

/* Of everything but SYN and RST: sets the highest TSval; true when it tells this packet from all
 * that were sent before. */
static __always_inline bool hw_tcp_time_grows(struct hw_seen *seen, const struct hw_tcp *tcp)
{
	bool known = seen->state & HW_SEEN_TIMES;

	if (known && (__s32)(tcp->timestamp - seen->timestamp) <= 0)
		return false;
	seen->state |= HW_SEEN_TIMES;
	seen->timestamp = tcp->timestamp;
	return known;
}

static __always_inline bool hw_tcp_forward(struct hw_flow *flow, const struct hw_tcp *tcp,
					   __u32 packets, __u64 now_ns)
{
	struct hw_seen *seen = &flow->seen;
	__u32 end = tcp->sequence + tcp->payload + (tcp->flags & HW_TCP_FIN);
	__s32 before = seen->high - tcp->sequence;
	bool grows, stalled = false;

	if (tcp->flags & HW_TCP_RST)
		return false;
	if (tcp->flags & HW_TCP_SYN)
		return hw_tcp_syn(seen, tcp, now_ns);
	grows = tcp->timestamps && hw_tcp_time_grows(seen, tcp);
	if (!(seen->state & HW_SEEN_HIGH)) {
		seen->state |= HW_SEEN_HIGH;
		seen->high = end;
		seen->high_ns = seen->progress_ns = now_ns;
		if (tcp->payload)
			hw_count_segments(flow, packets, 0);
		return false; /* in the midst of a connection: it may have been sent before */
	}
	if (tcp->payload && before > 0) {
		if (before > (__s32)tcp->payload)
			before = tcp->payload;
		stalled = hw_tcp_again(flow, tcp, before, packets, now_ns);
	} else if (tcp->payload) {
		hw_count_segments(flow, packets, 0);
	}
	if ((__s32)(end - seen->high) > 0) {
		if (seen->high == seen->acked)
			seen->progress_ns = now_ns; /* nothing else waits for an answer */
		seen->high = end;
		seen->high_ns = now_ns;
	}
	seen->state &= ~HW_SEEN_SYN;
	if (!tcp->payload || before > 0)
		return stalled;
	if (grows)
		hw_stamp(seen, HW_RTT_TIMESTAMP, tcp->timestamp, now_ns);
	else if (!tcp->timestamps)
		hw_stamp(seen, HW_RTT_SEQUENCE, end, now_ns);
	return stalled;
}

/* Whether the acknowledgement answers what is timed; drops the stamp where none will any more. */
static __always_inline bool hw_tcp_answers(struct hw_seen *seen, const struct hw_tcp *tcp)
{
	__s32 ahead;

	switch (seen->stamp_kind) {
	case HW_RTT_TIMESTAMP:
		ahead = tcp->echo - seen->stamp;
		if (tcp->timestamps && ahead > 0 && (__s32)(tcp->echo - seen->timestamp) <= 0)
			seen->stamp_ns = 0;
		return tcp->timestamps && ahead == 0;
	case HW_RTT_HANDSHAKE:
		return !(tcp->flags & HW_TCP_SYN) == !(seen->state & HW_SEEN_CALLED);
	case HW_RTT_SEQUENCE:
		return (__s32)(tcp->acknowledged - seen->stamp) >= 0;
	default:
		return false;
	}
}

/* Whether this shows that the peer got something, or sent something: not what repeats itself. */
static __always_inline bool hw_tcp_progress(struct hw_seen *seen, const struct hw_tcp *tcp)
{
	__u32 length = tcp->payload + (tcp->flags & HW_TCP_FIN) + !!(tcp->flags & HW_TCP_SYN);
	__u32 end = tcp->sequence + length;
	__s32 ahead = end - seen->peer;

	if (!(seen->state & HW_SEEN_PEER) || ahead > 0) {
		seen->state |= HW_SEEN_PEER;
		seen->peer = end;
		return true;
	}
	return length == 0 && ahead == 0; /* repeats an acknowledgement: it got what came later */
}

static __always_inline void hw_count_echo(struct hw_flow *flow, const struct hw_tcp *tcp,
					  __u32 packets)
{
	struct hw_traffic *traffic = hw_traffic_of(flow->path);

	if (!traffic)
		return;
	traffic->acks += packets;
	if (tcp->flags & HW_TCP_ECE)
		traffic->ece_acks += packets;
}

static __always_inline void hw_tcp_reverse(struct hw_flow *flow, const struct hw_tcp *tcp,
					   __u32 packets, __u64 now_ns)
{
	const __u16 ecn = tcp->flags & (HW_TCP_ECE | HW_TCP_CWR | HW_TCP_AE);
	struct hw_seen *seen = &flow->seen;
	__s32 advanced = tcp->acknowledged - seen->acked;

	if (!(seen->state & HW_SEEN_HIGH))
		return;
	if (tcp->flags & HW_TCP_RST) {
		seen->stamp_ns = 0;
		seen->progress_ns = now_ns;
		return;
	}
	if (!(tcp->flags & HW_TCP_ACK))
		return;
	/* Acknowledges what we have not seen, or what an earlier connection sent. */
	if ((__s32)(tcp->acknowledged - seen->high) > 0 ||
	    ((seen->state & HW_SEEN_SYN) && advanced < 0)) {
		seen->progress_ns = now_ns;
		return;
	}
	if ((tcp->flags & HW_TCP_SYN) && (seen->state & HW_SEEN_ASKED) && ecn == HW_TCP_ECE)
		seen->state |= HW_SEEN_ECN;
	if ((seen->state & HW_SEEN_ECN) && !(tcp->flags & HW_TCP_SYN))
		hw_count_echo(flow, tcp, packets);
	if (hw_tcp_progress(seen, tcp) || !(seen->state & HW_SEEN_ACKED) || advanced > 0)
		seen->progress_ns = now_ns;
	if ((seen->state & HW_SEEN_ACKED) && advanced < 0)
		return; /* overtaken */
	seen->state |= HW_SEEN_ACKED;
	seen->acked = tcp->acknowledged;
	if (tcp->window_closed)
		seen->state |= HW_SEEN_CLOSED;
	else
		seen->state &= ~HW_SEEN_CLOSED;
	if (seen->stamp_ns && hw_tcp_answers(seen, tcp))
		hw_answered(flow, now_ns);
}

/* Echo requests; a number that is sent again is not timed. */
static __always_inline void hw_echo(struct hw_flow *flow, const struct hw_packet *packet,
				    const struct hw_view *view, __u8 type4, __u8 type6,
				    __u64 now_ns)
{
	const struct hw_transport *icmp =
	    (const void *)hw_transport_of(packet, view, sizeof(*icmp));
	struct hw_seen *seen = &flow->seen;
	bool request = type4 == HW_ICMP4_ECHO;

	if (!icmp || icmp->icmp_type != (packet->key.family == 4 ? type4 : type6))
		return;
	if (request && hw_timed(seen, HW_RTT_ECHO) && seen->stamp == icmp->icmp_sequence)
		seen->stamp_ns = 0;
	else if (request)
		hw_stamp(seen, HW_RTT_ECHO, icmp->icmp_sequence, now_ns);
	else if (hw_timed(seen, HW_RTT_ECHO) && seen->stamp == icmp->icmp_sequence)
		hw_answered(flow, now_ns);
}

/* A client's Initial. The first flight may be several datagrams; a later one repeats it. */
static __always_inline bool hw_quic_initial(struct hw_seen *seen, const struct hw_quic *quic,
					    __u64 now_ns)
{
	if (seen->quic & HW_QUIC_ANSWERED)
		return false;
	if (!(seen->quic & HW_QUIC_ASKED)) {
		seen->quic |= HW_QUIC_ASKED;
		seen->high_ns = seen->progress_ns = now_ns;
		hw_stamp(seen, HW_RTT_QUIC, quic->sender, now_ns);
		return false;
	}
	if (now_ns - seen->high_ns < HW_QUIC_FLIGHT_NS)
		return false;
	seen->stamp_ns = 0;
	return hw_silent(seen, HW_UNANSWERED_NS, now_ns);
}

/*
 * The client inverts the spin bit that it hears, the server repeats it: an edge towards the server
 * comes back as an edge from it. Either end may switch it off by random values (RFC 9000, 17.4),
 * and reordering makes false edges: two edges closer to each other than half of the handshake's
 * round-trip time are no edges of a spin bit, and three such end the attempt.
 */
static __always_inline void hw_quic_spin_forward(struct hw_seen *seen, bool spin, __u64 now_ns)
{
	bool edge = (seen->quic & HW_QUIC_SPINS) && spin != !!(seen->quic & HW_QUIC_HIGH);

	seen->quic = (seen->quic & ~HW_QUIC_HIGH) | HW_QUIC_SPINS | (spin ? HW_QUIC_HIGH : 0);
	if (!edge)
		return;
	if (now_ns - seen->high_ns < seen->rtt_us * 500ull) {
		seen->stamp_ns = 0;
		seen->quic += HW_QUIC_STRIKE;
	} else {
		seen->stamp_ns = 0; /* the answer to the edge before can be told no more */
		hw_stamp(seen, HW_RTT_SPIN, spin, now_ns);
	}
	seen->high_ns = now_ns;
}

static __always_inline void hw_quic_spin_reverse(struct hw_flow *flow, bool spin, __u64 now_ns)
{
	struct hw_seen *seen = &flow->seen;
	bool edge = (seen->quic & HW_QUIC_ANSWERS) && spin != !!(seen->quic & HW_QUIC_PEER);

	seen->quic = (seen->quic & ~HW_QUIC_PEER) | HW_QUIC_ANSWERS | (spin ? HW_QUIC_PEER : 0);
	if (!edge || !hw_timed(seen, HW_RTT_SPIN) || seen->stamp != spin)
		return;
	if (now_ns - seen->stamp_ns >= seen->rtt_us * 500ull) {
		hw_answered(flow, now_ns);
		return;
	}
	seen->stamp_ns = 0;
	seen->quic += HW_QUIC_STRIKE;
}

/* Short headers of a flow whose handshake was seen; other UDP may look like them. */
static __always_inline bool hw_quic_spins(const struct hw_seen *seen, const struct hw_quic *quic)
{
	return (quic->first & HW_QUIC_FORM) == HW_QUIC_SHORT && (seen->quic & HW_QUIC_ANSWERED) &&
	       seen->rtt_us && (seen->quic & HW_QUIC_STRIKES) != HW_QUIC_STRIKES;
}

static __always_inline bool hw_quic_forward(struct hw_seen *seen, const struct hw_quic *quic,
					    __u64 now_ns)
{
	if (quic->initial)
		return hw_quic_initial(seen, quic, now_ns);
	if (hw_quic_spins(seen, quic))
		hw_quic_spin_forward(seen, quic->first & HW_QUIC_SPIN, now_ns);
	return false;
}

static __always_inline void hw_quic_reverse(struct hw_flow *flow, const struct hw_quic *quic,
					    __u64 now_ns)
{
	struct hw_seen *seen = &flow->seen;

	seen->progress_ns = now_ns;
	if (hw_quic_spins(seen, quic)) {
		hw_quic_spin_reverse(flow, quic->first & HW_QUIC_SPIN, now_ns);
		return;
	}
	if (!quic->answer || !(seen->quic & HW_QUIC_ASKED) || (seen->quic & HW_QUIC_ANSWERED))
		return;
	seen->quic |= HW_QUIC_ANSWERED;
	if (hw_timed(seen, HW_RTT_QUIC) && seen->stamp == quic->receiver)
		hw_answered(flow, now_ns);
}

static __always_inline bool hw_measured(const struct hw_packet *packet)
{
	return (hw_settings.measure || hw_settings.escape) && packet->kind == HW_KIND_FLOW &&
	       packet->transport;
}

/* LAN -> WAN. True when the flow shows that its nexthop carries it nowhere. */
static __always_inline bool hw_measure_forward(struct hw_flow *flow, const struct hw_packet *packet,
					       const struct hw_view *view, __u64 now_ns)
{
	struct hw_quic quic;
	struct hw_tcp tcp;

	if (!hw_measured(packet))
		return false;
	switch (packet->key.protocol) {
	case IPPROTO_TCP:
		return view->packets && hw_parse_tcp(packet, view, &tcp) &&
		       hw_tcp_forward(flow, &tcp, view->packets, now_ns);
	case IPPROTO_UDP:
		return hw_parse_quic(packet, view, &quic) &&
		       hw_quic_forward(&flow->seen, &quic, now_ns);
	default:
		hw_echo(flow, packet, view, HW_ICMP4_ECHO, HW_ICMP6_ECHO, now_ns);
		return false;
	}
}

/* WAN -> LAN. */
static __always_inline void hw_measure_reverse(struct hw_flow *flow, const struct hw_packet *packet,
					       const struct hw_view *view, __u64 now_ns)
{
	struct hw_quic quic;
	struct hw_tcp tcp;

	if (!hw_measured(packet))
		return;
	switch (packet->key.protocol) {
	case IPPROTO_TCP:
		if (hw_parse_tcp(packet, view, &tcp))
			hw_tcp_reverse(flow, &tcp, view->packets, now_ns);
		break;
	case IPPROTO_UDP:
		if (hw_parse_quic(packet, view, &quic))
			hw_quic_reverse(flow, &quic, now_ns);
		break;
	default:
		hw_echo(flow, packet, view, HW_ICMP4_ECHO_REPLY, HW_ICMP6_ECHO_REPLY, now_ns);
	}
}

/* The flow left its nexthop: whatever is being timed says nothing of the new one, nor do the times
 * that it had. */
static __always_inline void hw_measure_moved(struct hw_flow *flow)
{
	flow->seen.stamp_ns = 0;
	flow->seen.progress_ns = 0;
	flow->seen.rtt_us = 0;
	flow->seen.rtt_deviation_us = 0;
}

#endif

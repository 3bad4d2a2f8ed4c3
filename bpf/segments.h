/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What TCP's segments tell, by the numbers in them.
 *
 * Timed is a segment's TSval (RFC 7323) where there are timestamps: of data whose TSval is higher
 * than any before it, so that no earlier packet can be what is answered. Else it is the end of its
 * data, or of SYN and SYN-ACK the number after it. A stamp is dropped, not answered, when data is
 * repeated or reordered meanwhile (Karn). An answer to what was never sent is no answer. All
 * comparisons are of signed 32-bit differences.
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
#ifndef HOPWISE_BPF_SEGMENTS_H
#define HOPWISE_BPF_SEGMENTS_H

#include "stamp.h"
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

/* Reordering, RFC 8985: less than 3 segments back, and a quarter of the round-trip time. The coarse
 * clock may add a step to it; a TSval higher than all before it is no reordered segment's. */
#define HW_REORDER_SEGMENTS 3
#define HW_REORDER_NS	    (1 * HW_MS)

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
	       hw_elapsed_ns(now_ns, seen->high_ns) < (__s64)(window_ns + hw_settings.tick_ns);
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
 * The first `before` bytes of this data were sent before; `later`: than all data until now, by its
 * TSval. True when they are sent again after nothing new has come back for a retransmission
 * time-out.
 */
static __always_inline bool hw_tcp_again(struct hw_flow *flow, const struct hw_tcp *tcp, bool later,
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
	else if (!later && hw_tcp_reordered(seen, end, tcp->payload / packets, now_ns))
		again = 0;
	hw_count_segments(flow, packets, again);
	if (again == 0 || ((seen->state & HW_SEEN_ACKED) && (__s32)(end - seen->acked) <= 0))
		return false;
	/* Nothing can be said where answers return another way; nor is a sender stalled that still
	 * sends new data. */
	return (flow->flags & HW_FLOW_ANSWERED) &&
	       hw_elapsed_ns(now_ns, seen->high_ns) >= (__s64)hw_rto_ns(seen) &&
	       hw_silent(seen, hw_rto_ns(seen), now_ns);
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
	if (!(flow->flags & HW_FLOW_PROVEN) && (tcp->flags & HW_TCP_ACK) &&
	    (seen->state & HW_SEEN_PEER) && tcp->acknowledged == seen->peer)
		flow->flags |= HW_FLOW_PROVEN;
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
		stalled = hw_tcp_again(flow, tcp, grows, before, packets, now_ns);
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
					   __u32 packets)
{
	const __u16 ecn = tcp->flags & (HW_TCP_ECE | HW_TCP_CWR | HW_TCP_AE);
	struct hw_seen *seen = &flow->seen;
	__s32 advanced = tcp->acknowledged - seen->acked;

	if (!(seen->state & HW_SEEN_HIGH))
		return;
	if (tcp->flags & HW_TCP_RST) {
		seen->stamp_ns = 0;
		hw_progress(seen);
		return;
	}
	if (!(tcp->flags & HW_TCP_ACK))
		return;
	/* Acknowledges what we have not seen, or what an earlier connection sent. */
	if ((__s32)(tcp->acknowledged - seen->high) > 0 ||
	    ((seen->state & HW_SEEN_SYN) && advanced < 0)) {
		hw_progress(seen);
		return;
	}
	if ((tcp->flags & HW_TCP_SYN) && (seen->state & HW_SEEN_ASKED) && ecn == HW_TCP_ECE)
		seen->state |= HW_SEEN_ECN;
	if ((seen->state & HW_SEEN_ECN) && !(tcp->flags & HW_TCP_SYN))
		hw_count_echo(flow, tcp, packets);
	if (hw_tcp_progress(seen, tcp) || !(seen->state & HW_SEEN_ACKED) || advanced > 0)
		hw_progress(seen);
	if ((seen->state & HW_SEEN_ACKED) && advanced < 0)
		return; /* overtaken */
	seen->state |= HW_SEEN_ACKED;
	seen->acked = tcp->acknowledged;
	if (tcp->window_closed)
		seen->state |= HW_SEEN_CLOSED;
	else
		seen->state &= ~HW_SEEN_CLOSED;
	if (seen->stamp_ns && hw_tcp_answers(seen, tcp))
		hw_answered(flow);
}

#endif

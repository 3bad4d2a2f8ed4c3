/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What QUIC's datagrams tell: the handshake's round-trip time by the client's connection id, that a
 * handshake gets no answer, and from then on the spin bit, which is weak evidence.
 */
#ifndef HOPWISE_BPF_SPIN_H
#define HOPWISE_BPF_SPIN_H

#include "quic.h"
#include "stamp.h"

/* hw_seen.quic */
#define HW_QUIC_ASKED	 0x01u /* an Initial was sent */
#define HW_QUIC_ANSWERED 0x02u
#define HW_QUIC_HIGH	 0x04u /* spin bit of the last packet forward */
#define HW_QUIC_PEER	 0x08u /* and back */
#define HW_QUIC_SPINS	 0x10u /* there was a packet forward with a spin bit */
#define HW_QUIC_ANSWERS	 0x20u /* and back */
#define HW_QUIC_STRIKE	 0x40u /* counts up to 3 in the highest two bits: not a spin bit then */
#define HW_QUIC_STRIKES	 0xc0u

/* An Initial that follows so soon is the rest of a long ClientHello. */
#define HW_QUIC_FLIGHT_NS (20 * HW_MS)

/* A client's Initial. The first flight may be several datagrams; a later one repeats it. */
static __always_inline bool hw_quic_initial(struct hw_seen *seen, const struct hw_quic *quic,
					    __u64 now_ns)
{
	if (seen->quic & HW_QUIC_ANSWERED)
		return false;
	if (!(seen->quic & HW_QUIC_ASKED)) {
		seen->quic |= HW_QUIC_ASKED;
		seen->high_ns = bpf_ktime_get_ns();
		seen->progress_ns = now_ns;
		hw_stamp(seen, HW_RTT_QUIC, quic->sender, now_ns);
		return false;
	}
	if (bpf_ktime_get_ns() - seen->high_ns < HW_QUIC_FLIGHT_NS)
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
	__u64 exact_ns;

	seen->quic = (seen->quic & ~HW_QUIC_HIGH) | HW_QUIC_SPINS | (spin ? HW_QUIC_HIGH : 0);
	if (!edge)
		return;
	exact_ns = bpf_ktime_get_ns();
	if (exact_ns - seen->high_ns < seen->rtt_us * 500ull) {
		seen->stamp_ns = 0;
		seen->quic += HW_QUIC_STRIKE;
	} else {
		seen->stamp_ns = 0; /* the answer to the edge before can be told no more */
		hw_stamp(seen, HW_RTT_SPIN, spin, now_ns);
	}
	seen->high_ns = exact_ns;
}

static __always_inline void hw_quic_spin_reverse(struct hw_flow *flow, bool spin)
{
	struct hw_seen *seen = &flow->seen;
	bool edge = (seen->quic & HW_QUIC_ANSWERS) && spin != !!(seen->quic & HW_QUIC_PEER);

	seen->quic = (seen->quic & ~HW_QUIC_PEER) | HW_QUIC_ANSWERS | (spin ? HW_QUIC_PEER : 0);
	if (!edge || !hw_timed(seen, HW_RTT_SPIN) || seen->stamp != spin)
		return;
	if (bpf_ktime_get_ns() - seen->stamp_ns >= seen->rtt_us * 500ull) {
		hw_answered(flow);
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

static __always_inline void hw_quic_reverse(struct hw_flow *flow, const struct hw_quic *quic)
{
	struct hw_seen *seen = &flow->seen;

	hw_progress(seen);
	if (hw_quic_spins(seen, quic)) {
		hw_quic_spin_reverse(flow, quic->first & HW_QUIC_SPIN);
		return;
	}
	if (!quic->answer || !(seen->quic & HW_QUIC_ASKED) || (seen->quic & HW_QUIC_ANSWERED))
		return;
	seen->quic |= HW_QUIC_ANSWERED;
	if (hw_timed(seen, HW_RTT_QUIC) && seen->stamp == quic->receiver)
		hw_answered(flow);
}

#endif

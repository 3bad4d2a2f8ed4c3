/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What a flow's own packets tell of its path: round-trip times, retransmissions, ECN's echoes, and
 * that nothing comes back at all. TCP is told in segments.h, QUIC in spin.h, and the stamp that
 * both and ICMP echo use in stamp.h.
 *
 * A stamp is dropped when the flow moves, and when it is too old. Times include the peer's delay
 * before it acknowledges, and are as exact as the moment at which the packets pass this router.
 */
#ifndef HOPWISE_BPF_MEASURE_H
#define HOPWISE_BPF_MEASURE_H

#include "parse.h"
#include "segments.h"
#include "spin.h"

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
		hw_answered(flow);
}

static __always_inline bool hw_measured(const struct hw_packet *packet)
{
	return hw_reads_traffic() && packet->kind == HW_KIND_FLOW && packet->transport;
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
					       const struct hw_view *view)
{
	struct hw_quic quic;
	struct hw_tcp tcp;

	if (!hw_measured(packet))
		return;
	switch (packet->key.protocol) {
	case IPPROTO_TCP:
		if (hw_parse_tcp(packet, view, &tcp))
			hw_tcp_reverse(flow, &tcp, view->packets);
		break;
	case IPPROTO_UDP:
		if (hw_parse_quic(packet, view, &quic))
			hw_quic_reverse(flow, &quic);
		break;
	default:
		hw_echo(flow, packet, view, HW_ICMP4_ECHO_REPLY, HW_ICMP6_ECHO_REPLY, 0);
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

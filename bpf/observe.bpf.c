// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Where answers come in: what comes back for a flow that we steer counts for the path that carried
 * the flow, by whatever interface it returns. Changes no packet and decides nothing.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include "maps.h"
#include "measure.h"
#include "parse.h"
#include "settings.h"
#include "skb.h"

static __always_inline void hw_reverse(const struct hw_flow_key *key, struct hw_flow_key *forward)
{
	__builtin_memset(forward, 0, sizeof(*forward));
	__builtin_memcpy(forward->source, key->destination, sizeof(forward->source));
	__builtin_memcpy(forward->destination, key->source, sizeof(forward->destination));
	forward->source_port = key->destination_port;
	forward->destination_port = key->source_port;
	forward->family = key->family;
	forward->protocol = key->protocol;
}

SEC("tc")
int hw_observe(struct __sk_buff *skb)
{
	struct hw_flow_key forward;
	struct hw_traffic *traffic;
	struct hw_packet packet;
	struct hw_frame frame;
	struct hw_flow *flow;
	struct hw_view view;
	__u32 path;

	if (skb->pkt_type != HW_PACKET_HOST || skb->vlan_present)
		return TC_ACT_UNSPEC;
	hw_pull_headers(skb);
	hw_frame_of(skb, &frame);
	if (hw_parse(&frame, &packet) != HW_REASON_STEERED)
		return TC_ACT_UNSPEC;
	hw_reverse(&packet.key, &forward);
	flow = bpf_map_lookup_elem(&hw_flows, &forward);
	if (!flow)
		flow = bpf_map_lookup_elem(&hw_embryos, &forward);
	if (!flow)
		return TC_ACT_UNSPEC;

	view = (struct hw_view){frame.data, frame.data_end, hw_wire_packets(skb)};
	path = flow->path;
	traffic = bpf_map_lookup_elem(&hw_traffic, &path);
	if (traffic) {
		traffic->reverse_packets += view.packets;
		traffic->reverse_bytes += packet.bytes;
	}
	if (packet.kind == HW_KIND_ERROR) /* tells of the way, not of the peer */
		return TC_ACT_UNSPEC;
	if (!(flow->flags & HW_FLOW_ANSWERED))
		flow->flags |= HW_FLOW_ANSWERED;
	flow->reverse_packets += view.packets;
	flow->reverse_bytes += packet.bytes;
	hw_measure_reverse(flow, &packet, &view);
	return TC_ACT_UNSPEC;
}

char hw_licence[] SEC("license") = "Dual BSD/GPL";

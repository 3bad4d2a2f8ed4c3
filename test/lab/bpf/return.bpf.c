// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Return symmetry for the lab's server: every flow is answered by the link on which its last
 * packet came. Ingress of each core device learns flow -> (device, MAC addresses); egress of each
 * looks the swapped flow up and sends the packet out by the learnt device instead, when it is
 * another one. What was never learnt goes as the route says. For ICMP echo the flow is identifier
 * and sequence, so that probes of several paths with one source are told apart, each by itself.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct flow {
	__u8 server[16];
	__u8 client[16];
	__u16 server_port;
	__u16 client_port;
	__u8 protocol;
	__u8 pad[3];
};

struct origin {
	__u32 ifindex;
	__u8 server_mac[ETH_ALEN];
	__u8 peer_mac[ETH_ALEN];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 131072);
	__type(key, struct flow);
	__type(value, struct origin);
} origins SEC(".maps");

enum heading { TO_SERVER, TO_CLIENT };

/* Ports, or the echo identifier and sequence: both headers keep them in 32 bits. */
static __always_inline int parse_transport(struct __sk_buff *skb, __u32 at, struct flow *flow,
					   enum heading heading)
{
	__u16 ports[2] = {};

	if (flow->protocol == IPPROTO_TCP || flow->protocol == IPPROTO_UDP) {
		if (bpf_skb_load_bytes(skb, at, ports, sizeof(ports)))
			return -1;
	} else if (flow->protocol == IPPROTO_ICMP || flow->protocol == IPPROTO_ICMPV6) {
		/* The same in both directions, so no swap. */
		if (bpf_skb_load_bytes(skb, at + 4, ports, sizeof(ports)))
			return -1;
		heading = TO_SERVER;
	} else {
		return -1;
	}
	flow->client_port = heading == TO_SERVER ? ports[0] : ports[1];
	flow->server_port = heading == TO_SERVER ? ports[1] : ports[0];
	return 0;
}

static __always_inline int parse(struct __sk_buff *skb, struct flow *flow, enum heading heading)
{
	__u8 *source = heading == TO_SERVER ? flow->client : flow->server;
	__u8 *destination = heading == TO_SERVER ? flow->server : flow->client;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		struct iphdr ip;

		if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)))
			return -1;
		if (ip.frag_off & bpf_htons(0x3fff)) /* ports are in the first alone */
			return -1;
		__builtin_memcpy(source, &ip.saddr, 4);
		__builtin_memcpy(destination, &ip.daddr, 4);
		flow->protocol = ip.protocol;
		return parse_transport(skb, ETH_HLEN + ip.ihl * 4, flow, heading);
	}
	if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr ip;

		if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)))
			return -1;
		__builtin_memcpy(source, &ip.saddr, 16);
		__builtin_memcpy(destination, &ip.daddr, 16);
		flow->protocol = ip.nexthdr;
		return parse_transport(skb, ETH_HLEN + sizeof(ip), flow, heading);
	}
	return -1;
}

SEC("tc")
int learn(struct __sk_buff *skb)
{
	struct flow flow = {};
	struct origin origin = {.ifindex = skb->ifindex};

	if (parse(skb, &flow, TO_SERVER) ||
	    bpf_skb_load_bytes(skb, 0, origin.server_mac, ETH_ALEN) ||
	    bpf_skb_load_bytes(skb, ETH_ALEN, origin.peer_mac, ETH_ALEN))
		return TC_ACT_OK;
	bpf_map_update_elem(&origins, &flow, &origin, BPF_ANY);
	return TC_ACT_OK;
}

SEC("tc")
int answer(struct __sk_buff *skb)
{
	struct flow flow = {};
	struct origin *origin;

	if (parse(skb, &flow, TO_CLIENT))
		return TC_ACT_OK;
	origin = bpf_map_lookup_elem(&origins, &flow);
	if (!origin || origin->ifindex == skb->ifindex)
		return TC_ACT_OK;
	if (bpf_skb_store_bytes(skb, 0, origin->peer_mac, ETH_ALEN, 0) ||
	    bpf_skb_store_bytes(skb, ETH_ALEN, origin->server_mac, ETH_ALEN, 0))
		return TC_ACT_SHOT;
	return bpf_redirect(origin->ifindex, 0);
}

char _license[] SEC("license") = "Dual BSD/GPL";

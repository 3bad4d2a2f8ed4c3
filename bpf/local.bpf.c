// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * WAN egress: this host's own traffic, which the kernel has routed already. What is forwarded, what
 * carries a mark (our probes do, and whoever routes by marks means it), and what has been here
 * before is left alone.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include "fib.h"
#include "steer.h"

SEC("tc")
int hw_local(struct __sk_buff *skb)
{
	if (skb->ingress_ifindex || skb->mark || skb->tc_index == HW_BEEN_HERE)
		return TC_ACT_UNSPEC;
	return hw_steer_counted(skb, HW_LOCAL);
}

char hw_licence[] SEC("license") = "Dual BSD/GPL";

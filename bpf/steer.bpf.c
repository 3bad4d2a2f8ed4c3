// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* LAN ingress: what is to be forwarded. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include "fib.h"
#include "steer.h"

SEC("tc")
int hw_steer(struct __sk_buff *skb)
{
	return hw_steer_counted(skb, HW_FORWARDED);
}

char hw_licence[] SEC("license") = "Dual BSD/GPL";

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A packet of this host that a program has sent to its nexthop: the next one leaves it alone. */
#ifndef HOPWISE_BPF_BEEN_HERE_H
#define HOPWISE_BPF_BEEN_HERE_H

#define HW_BEEN_HERE 0x6877 /* skb->tc_index */

#endif

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Time between two moments. Signed: the later one may have been read before the earlier one was
 * stored, by another CPU or by the coarse clock, and is then a little behind it.
 */
#ifndef HOPWISE_BPF_ELAPSED_H
#define HOPWISE_BPF_ELAPSED_H

#include <linux/types.h>

static inline __s64 hw_elapsed_ns(__u64 now_ns, __u64 then_ns)
{
	return now_ns - then_ns;
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * One packet of a flow is being timed at any moment: `stamp` is what its answer will show. This is
 * how the stamp is set and dropped, what becomes of an answer, and how long nothing has come back.
 * Which packet is timed, and what answers it, is each protocol's business (segments.h, spin.h,
 * measure.h).
 *
 * Reading the exact clock costs more than all the rest that is done for most packets: it is read
 * where a stamp begins or ends. Time-outs go by the coarse clock, as `now_ns` does everywhere; it
 * stands still for up to hw_settings.tick_ns, so differences to it are signed.
 */
#ifndef HOPWISE_BPF_STAMP_H
#define HOPWISE_BPF_STAMP_H

#include <stdbool.h>

#include "elapsed.h"
#include "maps.h"
#include "rtt.h"
#include "settings.h"

#define HW_MS 1000000ull

/* A longer time is no time of a path. What was stamped this long ago makes room for a newer one. */
#define HW_RTT_MAX_NS  (10000 * HW_MS)
#define HW_PATIENCE_NS (3000 * HW_MS)

/* A SYN or an Initial that is repeated so long after the first was not answered: both are repeated
 * after 1 s (RFC 6298, 2.1; RFC 9002, 6.2: 999 ms) and timers may be early by a tick. */
#define HW_UNANSWERED_NS (900 * HW_MS)

static __always_inline struct hw_traffic *hw_traffic_of(__u32 path)
{
	return hw_settings.measure ? bpf_map_lookup_elem(&hw_traffic, &path) : NULL;
}

/* `now_ns` is coarse, and may be before the stamp that is there. */
static __always_inline void hw_stamp(struct hw_seen *seen, __u8 kind, __u32 stamp, __u64 now_ns)
{
	if (seen->stamp_ns && hw_elapsed_ns(now_ns, seen->stamp_ns) < (__s64)HW_PATIENCE_NS)
		return;
	seen->stamp = stamp;
	seen->stamp_kind = kind;
	seen->stamp_ns = bpf_ktime_get_ns();
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
static __always_inline void hw_answered(struct hw_flow *flow)
{
	struct hw_seen *seen = &flow->seen;
	__u64 ns = bpf_ktime_get_ns() - seen->stamp_ns;
	__u8 kind = seen->stamp_kind;

	seen->stamp_ns = 0;
	if (ns > HW_RTT_MAX_NS)
		return;
	if (kind != HW_RTT_SPIN)
		hw_rtt_smooth(seen, ns / 1000);
	if (hw_settings.measure)
		hw_record(flow->path, kind, ns / 1000);
}

/* Something came back. */
static __always_inline void hw_progress(struct hw_seen *seen)
{
	seen->progress_ns = bpf_ktime_get_coarse_ns();
}

/* Unanswered for `limit_ns`, as of the first time it is asked. */
static __always_inline bool hw_silent(struct hw_seen *seen, __u64 limit_ns, __u64 now_ns)
{
	if (seen->progress_ns == 0)
		seen->progress_ns = now_ns;
	return hw_elapsed_ns(now_ns, seen->progress_ns) >= (__s64)limit_ns;
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Arithmetic of round-trip times: the log-linear histogram's buckets, a flow's smoothed time and
 * its retransmission time-out. Compiled into the BPF programs and into the daemon, so that both
 * mean the same bucket.
 *
 * A bucket's index is read off the time in microseconds: below 16 the time itself; above, the
 * position of the highest bit picks the octave and the four bits below it the bucket. A bucket is
 * 1/16 of its lower bound wide at most, so its middle is within 1/32 of any time in it.
 */
#ifndef HOPWISE_BPF_RTT_H
#define HOPWISE_BPF_RTT_H

#include "abi.h"

/* What a time-out is without any sample, and the least that it adds to the smoothed time: RFC 6298
 * and what Linux makes of it. */
#define HW_RTO_UNKNOWN_US 1000000u
#define HW_RTO_SLACK_US	  200000u

/* BPF has no instruction for it. */
static inline __u32 hw_log2(__u32 value)
{
	__u32 log = 0;

	if (value >> 16) {
		log += 16;
		value >>= 16;
	}
	if (value >> 8) {
		log += 8;
		value >>= 8;
	}
	if (value >> 4) {
		log += 4;
		value >>= 4;
	}
	if (value >> 2) {
		log += 2;
		value >>= 2;
	}
	return log + (value >> 1);
}

static inline __u32 hw_rtt_bucket(__u32 us)
{
	__u32 octave;

	if (us < 16)
		return us;
	if (us >> 24)
		return HW_RTT_BUCKETS - 1;
	octave = hw_log2(us) - 3;
	return octave * 16 + ((us >> (octave - 1)) & 15);
}

/* The first time of a bucket. Of HW_RTT_BUCKETS it is the bound that the last one ignores. */
static inline __u32 hw_rtt_lower(__u32 bucket)
{
	return bucket < 16 ? bucket : (16 + bucket % 16) << (bucket / 16 - 1);
}

/* RFC 6298, 2.2 and 2.3. */
static inline void hw_rtt_smooth(struct hw_seen *seen, __u32 us)
{
	__u32 error = us > seen->rtt_us ? us - seen->rtt_us : seen->rtt_us - us;

	if (us == 0)
		us = 1; /* 0 means that it is not known */
	if (seen->rtt_us == 0) {
		seen->rtt_us = us;
		seen->rtt_deviation_us = us / 2;
		return;
	}
	seen->rtt_deviation_us = seen->rtt_deviation_us - seen->rtt_deviation_us / 4 + error / 4;
	seen->rtt_us = seen->rtt_us - seen->rtt_us / 8 + us / 8;
	if (seen->rtt_us == 0)
		seen->rtt_us = 1;
}

static inline __u64 hw_rto_ns(const struct hw_seen *seen)
{
	__u32 slack = 4 * seen->rtt_deviation_us;

	if (seen->rtt_us == 0)
		return HW_RTO_UNKNOWN_US * 1000ull;
	return (seen->rtt_us + (slack > HW_RTO_SLACK_US ? slack : HW_RTO_SLACK_US)) * 1000ull;
}

#endif

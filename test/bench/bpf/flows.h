/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The flows whose packets are sent. The benchmark writes them through shared memory.
 */
#ifndef HOPWISE_BENCH_FLOWS_H
#define HOPWISE_BENCH_FLOWS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "frame.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, BENCH_MAX_FLOWS);
	__type(key, __u32);
	__type(value, struct bench_flow);
} bench_flows SEC(".maps");

#endif

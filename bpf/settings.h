/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The settings that a program is loaded with. Read-only from then on: what is switched off costs
 * nothing. The values here are those of a program that is loaded without any. */
#ifndef HOPWISE_BPF_SETTINGS_H
#define HOPWISE_BPF_SETTINGS_H

#include <linux/types.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"

const volatile struct hw_settings hw_settings __weak SEC(".rodata") = {
    .actuator = HW_ACTUATOR_REDIRECT,
    .measure = 1,
    .escape = 1,
    .sample_share = 65536 / 16,
    .new_flows_per_ms = 100,
    .tick_ns = 10000000,
};

/* Whether the programs look at what the traffic tells. */
static __always_inline bool hw_reads_traffic(void)
{
	return hw_settings.measure || hw_settings.escape;
}

#endif

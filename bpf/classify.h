/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Classes of traffic: a packet of one takes the group that serves the class, over the same nexthops
 * by weights of its own. Without rules this costs one comparison.
 */
#ifndef HOPWISE_BPF_CLASSIFY_H
#define HOPWISE_BPF_CLASSIFY_H

#include "choice.h"
#include "class_rule.h"
#include "maps.h"
#include "parse.h"

/* A sub-program of its own, verified once. `class_rules` as in struct hw_router. */
__weak __noinline __u32 hw_class_of(const struct hw_flow_key *key, __u32 dscp, __u32 class_rules)
{
	__u32 entry = class_rules >> HW_CLASS_ENTRY;
	__u32 count = class_rules & ((1u << HW_CLASS_ENTRY) - 1);
	const struct hw_class_rules *rules = bpf_map_lookup_elem(&hw_classes, &entry);

	if (!key || !rules)
		return 0;
	for (__u32 i = 0; i < HW_MAX_CLASS_RULES; i++) {
		if (i >= count)
			break;
		if (hw_rule_matches(&rules->rule[i], key, dscp))
			return rules->rule[i].traffic_class;
	}
	return 0;
}

/* Changes the choice's group for the one that serves the packet's class, where there is one. */
static __always_inline void hw_classify(struct hw_choice *choice, const struct hw_packet *packet,
					const struct hw_router *router)
{
	__u32 class_rules = *(const volatile __u32 *)&router->class_rules;
	const struct hw_group *serving;
	__u32 traffic_class, id;

	if (!class_rules)
		return;
	traffic_class = hw_class_of(&packet->key, packet->dscp, class_rules);
	id = *(const volatile __u16 *)&choice->group
		  ->class_group[traffic_class & (HW_MAX_CLASSES - 1)];
	if (!id)
		return;
	serving = bpf_map_lookup_elem(&hw_groups, &id);
	if (!serving || !serving->count)
		return;
	choice->group = serving;
	choice->group_id = id;
}

#endif

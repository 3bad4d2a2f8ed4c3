/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The hash that puts a flow into a bucket. Compiled into the BPF programs and into the daemon, so
 * that `hopwise explain` names the bucket that the data path uses.
 *
 * MurmurHash3's 32-bit body and finaliser over the flow key's words that are in use, four of IPv4
 * and ten of IPv6: good avalanche in the low bits, which are the bucket index. Every router has a
 * seed of its own: with one seed for all, the flows that a first router sends to one path would all
 * fall on one path of the next router too.
 */
#ifndef HOPWISE_BPF_HASH_H
#define HOPWISE_BPF_HASH_H

#include "abi.h"

static inline __u32 hw_rotate_left(__u32 word, int bits)
{
	return (word << bits) | (word >> (32 - bits));
}

/* Without may_alias a compiler may read the words before the 16-bit ports are stored. */
typedef __u32 __attribute__((may_alias)) hw_word;

static inline __u32 hw_mix(__u32 hash, __u32 word)
{
	word *= 0xcc9e2d51u;
	word = hw_rotate_left(word, 15) * 0x1b873593u;
	return hw_rotate_left(hash ^ word, 13) * 5 + 0xe6546b64u;
}

static inline __u32 hw_flow_hash(const struct hw_flow_key *key, __u32 seed)
{
	const hw_word *word = (const hw_word *)key;
	__u32 hash = seed;

	if (key->family == 4) {
		hash = hw_mix(hash, word[0]);
		hash = hw_mix(hash, word[4]);
	} else {
		for (unsigned int i = 0; i < 8; i++)
			hash = hw_mix(hash, word[i]);
	}
	hash = hw_mix(hash, word[8]); /* the ports */
	hash = hw_mix(hash, word[9]); /* family and protocol */
	hash ^= sizeof(*key);
	hash = (hash ^ (hash >> 16)) * 0x85ebca6bu;
	hash = (hash ^ (hash >> 13)) * 0xc2b2ae35u;
	return hash ^ (hash >> 16);
}

/*
 * A nexthop's rank for a flow whose bucket cannot be used, or for a bucket: the highest usable one
 * wins. By nexthop, not by path: so the answer is the same in every group that has it.
 */
static inline __u32 hw_rendezvous_rank(__u32 hash, __u32 nexthop)
{
	__u32 rank = (hash ^ (nexthop * 0x9e3779b1u)) * 0x85ebca6bu;

	rank = (rank ^ (rank >> 15)) * 0xc2b2ae35u;
	return rank ^ (rank >> 16);
}

/*
 * Whether a flow is in a share (of 65536) of all flows, by bits of its hash that say nothing of its
 * bucket, which are the lowest, nor of another share.
 */
#define HW_CONTROL_BITS 1u	    /* the upper half as it is */
#define HW_SAMPLE_BITS	0x9e3779b1u /* a mixture of all */

static inline int hw_in_share(__u32 flow_hash, __u32 bits, __u32 share)
{
	return (flow_hash * bits) >> 16 < share;
}

#endif

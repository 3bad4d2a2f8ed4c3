/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What can be read of QUIC without its keys (RFC 8999, 9000, 9369): a client's first packets, the
 * answer to them, and the spin bit of what follows. Everything else over UDP is none of ours.
 */
#ifndef HOPWISE_BPF_QUIC_H
#define HOPWISE_BPF_QUIC_H

#include <stdbool.h>
#include <bpf/bpf_endian.h>

#include "parse.h"
#include "tcp.h"

#define HW_QUIC_V1 0x00000001u
#define HW_QUIC_V2 0x6b3343cfu

#define HW_QUIC_LONG	   0xc0 /* the two highest bits, with the fixed bit set */
#define HW_QUIC_SHORT	   0x40
#define HW_QUIC_FORM	   0xc0
#define HW_QUIC_TYPE	   0x30
#define HW_QUIC_INITIAL_V1 0x00
#define HW_QUIC_INITIAL_V2 0x10
#define HW_QUIC_SPIN	   0x20

#define HW_QUIC_MAX_ID	    20	 /* bytes of a connection id, in both versions */
#define HW_QUIC_MIN_INITIAL 1200 /* bytes of a client's datagram, RFC 9000, 14.1 */
#define HW_UDP_HEADER	    8

struct hw_quic {
	__u8 first;	/* byte of the first QUIC packet */
	bool initial;	/* a client's: in a datagram as large as it must be */
	bool answer;	/* a long header, or the refusal of a version */
	__u32 sender;	/* of `initial`: what stands for the client's connection id */
	__u32 receiver; /* of `answer`: the same of the one that it is addressed to */
};

/* A connection id's length and its first bytes. */
static __always_inline bool hw_quic_id(const __u8 *id, const void *data_end, __u32 *name)
{
	__u32 length;

	if (id + 1 > (const __u8 *)data_end)
		return false;
	length = id[0];
	if (length > HW_QUIC_MAX_ID)
		return false;
	*name = length;
	if (length >= 4) {
		if (id + 5 > (const __u8 *)data_end)
			return false;
		*name = length << 24 ^ (__u32)id[1] << 24 ^ id[2] << 16 ^ id[3] << 8 ^ id[4];
	}
	return true;
}

/* Of a long header: form, version, and the connection ids with their lengths before them. */
static __always_inline void hw_parse_quic_long(const __u8 *quic, const void *data_end, __u32 bytes,
					       struct hw_quic *seen)
{
	const __u8 *sender;
	__be32 word;
	__u32 version, length;
	__u8 type = quic[0] & HW_QUIC_TYPE;

	if (quic + 6 > (const __u8 *)data_end)
		return;
	__builtin_memcpy(&word, quic + 1, sizeof(word));
	version = bpf_ntohl(word);
	if (version != HW_QUIC_V1 && version != HW_QUIC_V2 && version != 0)
		return;
	length = quic[5];
	if (length > HW_QUIC_MAX_ID)
		return;
	sender = quic + 6 + length;
	seen->initial = bytes >= HW_QUIC_MIN_INITIAL &&
			((version == HW_QUIC_V1 && type == HW_QUIC_INITIAL_V1) ||
			 (version == HW_QUIC_V2 && type == HW_QUIC_INITIAL_V2)) &&
			hw_quic_id(sender, data_end, &seen->sender);
	seen->answer = hw_quic_id(quic + 5, data_end, &seen->receiver);
}

/* False when there is no QUIC packet in it: not even a first byte that could be one. */
static __always_inline bool hw_parse_quic(const struct hw_packet *packet,
					  const struct hw_view *view, struct hw_quic *seen)
{
	const __u8 *quic = hw_transport_of(packet, view, HW_UDP_HEADER + 1);
	__u32 bytes = hw_transport_bytes(packet);

	if (!quic || bytes <= HW_UDP_HEADER)
		return false;
	quic += HW_UDP_HEADER;
	seen->first = quic[0];
	seen->initial = seen->answer = false;
	seen->sender = seen->receiver = 0;
	if ((seen->first & HW_QUIC_FORM) == HW_QUIC_LONG)
		hw_parse_quic_long(quic, view->data_end, bytes - HW_UDP_HEADER, seen);
	return true;
}

#endif

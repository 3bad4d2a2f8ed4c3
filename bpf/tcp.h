/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the measurement needs of a TCP header, read over (data, data_end). The timestamp option is
 * found at once where Linux, BSD, Windows and Apple put it; elsewhere by a walk of bounded length.
 * An option that is cut off or contradicts the header counts as absent.
 */
#ifndef HOPWISE_BPF_TCP_H
#define HOPWISE_BPF_TCP_H

#include <stdbool.h>
#include <bpf/bpf_endian.h>

#include "parse.h"

#define HW_TCP_FIN 0x01
#define HW_TCP_SYN 0x02
#define HW_TCP_RST 0x04
#define HW_TCP_ACK 0x10
#define HW_TCP_ECE 0x40
#define HW_TCP_CWR 0x80
#define HW_TCP_AE  0x100 /* RFC 9768 */

#define HW_TCP_HEADER	   20
#define HW_TCP_MAX_OPTIONS 16 /* visited, paddings too; a SYN has at most 7 or so */

#define HW_OPTION_END	    0
#define HW_OPTION_PADDING   1
#define HW_OPTION_TIMESTAMP 8
#define HW_TIMESTAMP_BYTES  10

/* The packet's bytes, of which only [data, data_end) can be read. */
struct hw_view {
	const void *data;
	const void *data_end;
	__u32 packets; /* on the wire: GRO may have merged several */
};

/*
 * The transport header; NULL when its first `bytes` cannot be read. To the verifier, the offset
 * must be bounded in the register that is added, and the sum be the one that was compared with the
 * end; a compiler would rather test a transformed copy and add again at each use.
 */
static __always_inline const __u8 *hw_transport_of(const struct hw_packet *packet,
						   const struct hw_view *view, __u32 bytes)
{
	__u64 offset = packet->transport;
	const __u8 *header = view->data;

	hw_opaque(offset);
	if (offset > 255)
		return NULL;
	header += offset;
	hw_opaque(header);
	return header + bytes <= (const __u8 *)view->data_end ? header : NULL;
}

/* Bytes of the packet from the transport header on, which hw_transport_of() has found. */
static __always_inline __u32 hw_transport_bytes(const struct hw_packet *packet)
{
	__u32 before = packet->transport - sizeof(struct ethhdr);

	return packet->bytes > before ? packet->bytes - before : 0;
}

struct hw_tcp {
	__u32 sequence;
	__u32 acknowledged; /* with HW_TCP_ACK */
	__u32 timestamp;    /* TSval */
	__u32 echo;	    /* TSecr */
	__u32 payload;	    /* bytes, by the IP header's word */
	__u16 flags;
	bool timestamps;    /* the option is there */
	bool window_closed; /* the window is 0, however scaled */
};

/* `option` points to a timestamp option's kind, and all of it can be read. */
static __always_inline void hw_take_timestamps(struct hw_tcp *tcp, const __u8 *option)
{
	__be32 word[2];

	__builtin_memcpy(word, option + 2, sizeof(word));
	tcp->timestamp = bpf_ntohl(word[0]);
	tcp->echo = bpf_ntohl(word[1]);
	tcp->timestamps = true;
}

/*
 * `options` bytes follow the fixed header at `header`. The step to the next option is computed
 * without a branch: the verifier then follows one way through the loop, not two to the power of its
 * length.
 */
static __always_inline void hw_find_timestamps(struct hw_tcp *tcp, const __u8 *header,
					       const void *data_end, __u32 options)
{
	const __u8 *option = header + HW_TCP_HEADER;
	__u32 left = options;

	for (int i = 0; i < HW_TCP_MAX_OPTIONS; i++) {
		__u32 padding;
		__u64 step;

		if (left < HW_TIMESTAMP_BYTES ||
		    option + HW_TIMESTAMP_BYTES > (const __u8 *)data_end)
			return;
		if (option[0] == HW_OPTION_TIMESTAMP) {
			if (option[1] == HW_TIMESTAMP_BYTES)
				hw_take_timestamps(tcp, option);
			return;
		}
		padding = ((__u32)(option[0] ^ HW_OPTION_PADDING) - 1) >> 31;
		hw_opaque(padding);
		step = (option[1] & (padding - 1)) | padding;
		hw_opaque(step);
		if (step + padding < 2 || step > left || option[0] == HW_OPTION_END)
			return;
		left -= step;
		option += step & 63;
		hw_opaque(option);
	}
}

static __always_inline bool hw_parse_tcp(const struct hw_packet *packet, const struct hw_view *view,
					 struct hw_tcp *tcp)
{
	const __u8 *header = hw_transport_of(packet, view, HW_TCP_HEADER);
	__u32 bytes = hw_transport_bytes(packet);
	__u32 length, word;
	__be32 field[2];
	__u16 window;

	if (!header)
		return false;
	length = (header[12] >> 4) * 4;
	if (length < HW_TCP_HEADER || length > bytes)
		return false;
	__builtin_memcpy(field, header + 4, sizeof(field));
	__builtin_memcpy(&window, header + 14, sizeof(window));
	tcp->sequence = bpf_ntohl(field[0]);
	tcp->acknowledged = bpf_ntohl(field[1]);
	tcp->payload = bytes - length;
	tcp->flags = header[13] | (header[12] & 1) << 8;
	tcp->window_closed = window == 0;
	tcp->timestamps = false;
	tcp->timestamp = tcp->echo = 0;

	if (length < HW_TCP_HEADER + 12)
		return true; /* too short for a timestamp that is aligned, as all are */
	if (header + HW_TCP_HEADER + 12 <= (const __u8 *)view->data_end) {
		__builtin_memcpy(&word, header + HW_TCP_HEADER, sizeof(word));
		if (word == bpf_htonl(0x0101080a)) {
			hw_take_timestamps(tcp, header + HW_TCP_HEADER + 2);
			return true;
		}
	}
	hw_find_timestamps(tcp, header, view->data_end, length - HW_TCP_HEADER);
	return true;
}

#endif

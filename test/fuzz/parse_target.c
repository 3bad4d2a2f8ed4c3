#include "test/fuzz/parse_target.h"
#include "bpf/parse.h"

struct fuzz_parsed fuzz_parse(const void* data, __u32 linear, __u32 length, __u32 segment,
                              __u32 reassembled) {
  const struct ethhdr* ethernet = data;
  struct hw_frame frame = {
      .data = data,
      .data_end = (const char*)data + linear,
      .length = length,
      .segment = segment,
      .protocol = linear < sizeof(*ethernet) ? 0 : ethernet->h_proto,
      .reassembled = reassembled,
  };
  struct hw_packet packet;
  struct fuzz_parsed parsed = {.reason = hw_parse(&frame, &packet)};

  parsed.key = packet.key;
  parsed.bytes = packet.bytes;
  parsed.transport = packet.transport;
  parsed.hops = packet.hops;
  parsed.kind = packet.kind;
  return parsed;
}

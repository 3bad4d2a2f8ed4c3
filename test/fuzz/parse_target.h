/* The parser as the fuzzer calls it: C, because it is compiled as the BPF programs compile it. */
#ifndef HOPWISE_TEST_FUZZ_PARSE_TARGET_H
#define HOPWISE_TEST_FUZZ_PARSE_TARGET_H

#include "bpf/abi.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fuzz_parsed {
  struct hw_flow_key key;
  __u32 bytes;
  __u32 transport;
  __u32 hops;
  __u32 kind;
  enum hw_reason reason;
};

/* Of a frame of `length` bytes of which `linear` can be read; `segment` as in skb->gso_size,
 * `reassembled` as in hw_frame. */
struct fuzz_parsed fuzz_parse(const void* data, __u32 linear, __u32 length, __u32 segment,
                              __u32 reassembled);

#ifdef __cplusplus
}
#endif

#endif

// bpf/parse.h compiled for this machine, by libFuzzer under AddressSanitizer.
//
// The input's first two bytes say how much of the frame is readable and whether it is an aggregate
// and whether fragments are put together; the rest is the frame. The readable part ends where its
// memory ends, so that a byte read beyond it is found. What the parser accepts must be what the
// oracle reads, to the last field.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "test/fuzz/frames.hpp"
#include "test/fuzz/oracle.hpp"
#include "test/fuzz/parse_target.h"

using namespace hopwise::fuzz;

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

namespace {

void require(bool truth, const char* what, const fuzz_parsed& parsed, const Reading& reading) {
  if (truth) return;
  std::fprintf(stderr, "%s: the parser says %s, the oracle %s\n", what,
               text(fault(parsed.reason)).c_str(), text(reading.faults).c_str());
  std::abort();
}

bool same(const fuzz_parsed& parsed, const Reading& reading) {
  return std::memcmp(&parsed.key, &reading.key, sizeof(parsed.key)) == 0 &&
         parsed.bytes == reading.bytes && parsed.hops == reading.hops &&
         parsed.transport == reading.transport &&
         parsed.kind == static_cast<std::uint32_t>(reading.kind);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const Frame frame(data + 2, size - 2);
  // One in two is readable to its end.
  const std::size_t linear =
      data[0] < 128 ? frame.size() : std::min<std::size_t>(data[0] - 128, frame.size());
  const bool aggregate = data[1] % 8 == 0, together = (data[1] & 8) != 0;
  const auto readable = std::make_unique<std::uint8_t[]>(linear);
  std::copy_n(frame.begin(), linear, readable.get());
  const fuzz_parsed parsed =
      fuzz_parse(readable.get(), static_cast<__u32>(linear), static_cast<__u32>(frame.size()),
                 aggregate ? 1448 : 0, together ? 1 : 0);
  const Reading reading = read_frame(frame, {aggregate ? Merged::aggregate : Merged::no,
                                             together ? Fragments::together : Fragments::apart});
  if (parsed.reason == HW_REASON_STEERED) {
    require(reading.faults == 0, "accepted in spite of faults", parsed, reading);
    require(same(parsed, reading), "accepted as something else", parsed, reading);
    return 0;
  }
  const bool cut = linear < frame.size() && parsed.reason == HW_REASON_MALFORMED;
  require(cut || (reading.faults >> parsed.reason & 1) != 0, "refused for no reason", parsed,
          reading);
  return 0;
}

// Half of the inputs begin as a frame of the generator's.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t most, unsigned int seed) {
  if (seed % 2 == 0 && size >= 2) return LLVMFuzzerMutate(data, size, most);
  Random random(seed);
  const Bytes frame = Frames(random.word()).next(random.one_in(2));
  const std::size_t length = std::min(frame.size() + 2, most);
  if (length < 2) return size;
  data[0] = static_cast<std::uint8_t>(random.word());
  data[1] = static_cast<std::uint8_t>(random.word());
  std::copy_n(frame.begin(), length - 2, data + 2);
  return length;
}

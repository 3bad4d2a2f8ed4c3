// Fuzzes the loaded programs: fuzz_tests --packets N --seed S
//
// Hostile frames (frames.hpp) through BPF_PROG_TEST_RUN in a world that changes (world.hpp), each
// judged by what the oracle reads: one reason is counted, and it is one that applies; what has no
// fault is steered; what is left to the kernel is byte for byte the same; what is steered is a
// healthy packet with one hop less, on its way to a usable nexthop of its route. The flow tables
// must make sense all the while. The same seed sends the same frames.
#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "test/catch.hpp"
#include "test/fuzz/length.hpp"
#include "test/fuzz/tables.hpp"
#include "test/fuzz/world.hpp"

using namespace hopwise;
using namespace hopwise::fuzz;

namespace {

constexpr std::size_t kMtu = 1500;
constexpr std::uint32_t kFramesPerChange = 20'000;

struct Run {
  int verdict = 0;
  Bytes bytes;
  __sk_buff skb{};
};

Run run(int program, const Bytes& frame, const __sk_buff& skb) {
  Run run;
  run.bytes.resize(frame.size() + 64);
  bpf_test_run_opts options{};
  options.sz = sizeof(options);
  options.data_in = frame.data();
  options.data_size_in = static_cast<__u32>(frame.size());
  options.data_out = run.bytes.data();
  options.data_size_out = static_cast<__u32>(run.bytes.size());
  options.ctx_in = &skb;
  options.ctx_size_in = sizeof(skb);
  options.ctx_out = &run.skb;
  options.ctx_size_out = sizeof(run.skb);
  options.repeat = 1;
  const int failed = bpf_prog_test_run_opts(program, &options);
  if (failed != 0) FAIL("test run of " << frame.size() << " bytes: error " << failed);
  run.bytes.resize(options.data_size_out);
  run.verdict = static_cast<int>(options.retval);
  return run;
}

std::string hex(const Bytes& bytes) {
  std::string text;
  char two[4];
  for (const std::uint8_t byte : bytes) {
    std::snprintf(two, sizeof(two), "%02x", byte);
    text += two;
  }
  return text;
}

class Campaign {
 public:
  Campaign(World& world, std::uint64_t seed)
      : world_(world), tables_(world.router()), frames_(seed), random_(~seed) {
    test::PrivateNamespace::run("ip link set lo mtu " + std::to_string(kMtu));
    steer_ = world.router().program("hw_steer");
    observe_ = world.router().program("hw_observe");
  }

  void send(std::uint64_t packets) {
    for (number_ = 0; number_ < packets; ++number_) {
      if (number_ % kFramesPerChange == kFramesPerChange - 1) world_.change(random_);
      if (number_ % 4096 == 0) world_.renew_lease();
      random_.one_in(5) ? observe() : steer();
    }
    tables_.judge();
    std::printf("fuzz: %llu frames, %llu steered\n", static_cast<unsigned long long>(packets),
                static_cast<unsigned long long>(steered_));
    CHECK(steered_ > packets / 20);
  }

 private:
  __sk_buff context(const Bytes& frame) {
    __sk_buff skb{};
    skb.ingress_ifindex = 1;
    if (random_.one_in(16)) skb.gso_size = 1 + random_.below(1448);
    if (skb.gso_size != 0 && random_.one_in(2)) skb.gso_segs = 1 + random_.below(40);
    skb.wire_len = static_cast<__u32>(frame.size());
    return skb;
  }

  void steer() {
    const Bytes frame = frames_.next(false);
    const __sk_buff skb = context(frame);
    const Reading reading = read_frame(frame);
    const auto before = tables_.reasons();
    const Run after = run(steer_, frame, skb);
    const auto reason = Tables::counted(before, tables_.reasons());
    const auto expect = [&](bool truth, const char* what) {
      if (!truth) complain(frame, reading, after, reason, what);
    };

    Faults sure = reading.faults | world_.faults(reading), perhaps = 0;
    if (frame[0] | frame[1] | frame[2] | frame[3] | frame[4] | frame[5])
      sure |= fault(HW_REASON_NOT_FOR_US);
    if (frame.size() - 14 > kMtu)
      (reading.bytes > kMtu && skb.gso_size == 0 ? sure : perhaps) |= fault(HW_REASON_MTU);
    expect(reason.has_value(), "not exactly one reason was counted");
    if (*reason != HW_REASON_STEERED) {
      expect(((sure | perhaps) >> *reason & 1) != 0, "the reason does not apply");
      expect(after.verdict == test::kPassed, "not steered, and yet not passed on");
      expect(after.bytes == frame, "left to the kernel, and yet changed");
      expect(after.skb.mark == 0, "left to the kernel, and yet marked");
      return;
    }
    ++steered_;
    expect(sure == 0, "steered in spite of its faults");
    expect(after.verdict == test::kRedirect, "counted as steered, and not redirected");
    expect(forwarded(frame, after.bytes, false), "redirected with other changes than one hop less");
    if (reading.kind == Kind::error) return;
    const auto flow = tables_.find(reading.key);
    expect(flow.has_value(), "steered, and no flow has its key");
    expect(world_.may_leave_by(reading, flow->nexthop), "left by a nexthop that it may not use");
  }

  void observe() {
    const Bytes frame = frames_.next(true);
    const Run after = run(observe_, frame, context(frame));
    if (after.verdict != test::kPassed || after.bytes != frame || after.skb.mark != 0)
      complain(frame, read_frame(frame), after, std::nullopt, "observe changed something");
  }

  void complain(const Bytes& frame, const Reading& reading, const Run& after,
                std::optional<hw_reason> reason, const char* what) {
    FAIL(what << "\n  packet " << number_ << " of seed " << length().seed << ", " << world_.text()
              << "\n  faults of the frame " << text(reading.faults) << ", of the world "
              << text(world_.faults(reading)) << "; counted "
              << (reason ? text(fault(*reason)) : "?") << ", verdict " << after.verdict
              << "\n  before " << hex(frame) << "\n  after  " << hex(after.bytes));
  }

  World& world_;
  Tables tables_;
  Frames frames_;
  Random random_;
  int steer_ = -1, observe_ = -1;
  std::uint64_t number_ = 0, steered_ = 0;
};

dataplane::Options options() {
  dataplane::Options options;
  options.new_flows_per_s = 1'000'000'000;  // every flow can be asked where it went
  return options;
}

}  // namespace

TEST_CASE("no frame is steered wrongly, changed or left uncounted", "[fuzz]") {
  World world(options());
  Campaign(world, length().seed).send(length().packets);
}

// Fuzzes the loaded programs: fuzz_tests --packets N --seed S
//
// Hostile frames (frames.hpp) through BPF_PROG_TEST_RUN in a world that changes (world.hpp), each
// judged by what the oracle reads: one reason is counted, and it is one that applies; what has no
// fault is steered; what is left to the kernel is byte for byte the same; what is steered is a
// healthy packet with one hop less, on its way to a usable nexthop of its route. The flow tables
// must make sense all the while. The same seed sends the same frames.
#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <algorithm>
#include <cstdio>

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
  for (const std::uint8_t byte : std::span(bytes).first(std::min<std::size_t>(bytes.size(), 160))) {
    std::snprintf(two, sizeof(two), "%02x", byte);
    text += two;
  }
  return text + " (" + std::to_string(bytes.size()) + " bytes)";
}

// One program, and what is particular about it.
enum class Way : std::uint8_t { redirect, mark, local };

constexpr Faults kTtl = fault(HW_REASON_TTL), kMtuFault = fault(HW_REASON_MTU),
                 kNoNexthop = fault(HW_REASON_NO_NEXTHOP);

class Campaign {
 public:
  Campaign(Way way, const dataplane::Options& options, std::uint64_t seed)
      : way_(way), world_(options), tables_(world_.router()), frames_(seed), random_(~seed) {
    test::PrivateNamespace::run("ip link set lo mtu " + std::to_string(kMtu));
    forward_ = way == Way::local ? world_.router().local_fd() : world_.router().steer_fd();
    observe_ = world_.router().observe_fd();
  }

  void send(std::uint64_t packets) {
    for (number_ = 0; number_ < packets; ++number_) {
      if (number_ % kFramesPerChange == kFramesPerChange - 1) world_.change(random_);
      if (number_ % 4096 == 0) world_.renew_lease();
      random_.one_in(5) ? observe() : forward();
    }
    tables_.judge();
    std::printf(
        "fuzz: %llu frames, %llu steered, %llu of these to an address kept here, %llu control\n",
        static_cast<unsigned long long>(packets), static_cast<unsigned long long>(steered_),
        static_cast<unsigned long long>(direct_), static_cast<unsigned long long>(control_));
    CHECK(steered_ > packets / 20);
  }

 private:
  // A packet with what may be known of it beside its bytes.
  struct Sent {
    Bytes frame;
    __sk_buff skb{};
    Reading reading;
    Faults sure = 0, perhaps = 0;
    [[nodiscard]] Faults possible() const { return sure | perhaps; }
  };

  Sent next(bool back) {
    Sent sent{frames_.next(back), {}, {}, 0, 0};
    __sk_buff& skb = sent.skb;
    skb.ingress_ifindex = way_ == Way::local ? 0 : 1;
    if (random_.one_in(16)) skb.gso_size = 1 + random_.below(1448);
    if (skb.gso_size != 0 && random_.one_in(2)) skb.gso_segs = 1 + random_.below(40);
    if (random_.one_in(64)) skb.mark = static_cast<__u32>(random_.word()) | 1;
    skb.wire_len = static_cast<__u32>(sent.frame.size());
    if (way_ == Way::local && random_.one_in(2))
      std::copy_n(World::link_of(1 + random_.below(6)).begin(), 6, sent.frame.begin());
    sent.reading =
        read_frame(sent.frame, {skb.gso_size != 0 ? Merged::aggregate : Merged::no,
                                way_ == Way::mark ? Fragments::together : Fragments::apart});
    return sent;
  }

  // All reasons that may be counted: those that must keep it from being steered, and others.
  void judge(Sent& sent) const {
    const Reading& reading = sent.reading;
    sent.sure = reading.faults | world_.faults(reading);
    const bool to_router = std::all_of(sent.frame.begin(), sent.frame.begin() + 6,
                                       [](auto byte) { return byte == 0; });
    if (way_ != Way::redirect) sent.sure &= ~kTtl;
    if (way_ != Way::local && !to_router) sent.sure |= fault(HW_REASON_NOT_FOR_US);
    if (way_ == Way::mark && sent.skb.mark != 0) sent.sure |= fault(HW_REASON_MARKED);
    if (way_ != Way::mark && sent.frame.size() - 14 > kMtu)
      (reading.bytes > kMtu && sent.skb.gso_size == 0 ? sent.sure : sent.perhaps) |= kMtuFault;
    sent.perhaps |= fault(HW_REASON_CONTROL);
    if (way_ == Way::mark) sent.perhaps |= fault(HW_REASON_UNKNOWN_FLOW) | fault(HW_REASON_HELD);
    if (way_ == Way::local && !to_router) sent.perhaps |= fault(HW_REASON_IN_PLACE);
  }

  void forward() {
    Sent sent = next(false);
    if (way_ == Way::local && random_.one_in(64)) sent.skb.ingress_ifindex = 1;
    judge(sent);
    const auto before = counted_;
    const Run after = run(forward_, sent.frame, sent.skb);
    counted_ = tables_.reasons();
    const auto reason = Tables::counted(before, counted_);
    const auto expect = [&](bool truth, const char* what) {
      if (!truth) complain(sent, after, reason, what);
    };
    const bool passed = way_ == Way::local && (sent.skb.ingress_ifindex != 0 || sent.skb.mark != 0);
    if (passed || !reason || *reason != HW_REASON_STEERED) {
      expect(after.verdict == test::kPassed, "not steered, and yet not passed on");
      expect(after.bytes == sent.frame, "left to the kernel, and yet changed");
      // The stack answers for the nexthop that was chosen, or goes on by the flow's own.
      const bool led = reason == HW_REASON_HELD ||
                       (way_ == Way::redirect && sent.skb.mark == 0 && reason == HW_REASON_MTU);
      expect(after.skb.mark == sent.skb.mark || led, "left to the kernel, and yet marked");
      if (passed) return expect(before == counted_, "not for the program, and yet counted");
    }
    expect(reason.has_value(), "not exactly one reason was counted");
    if (*reason == HW_REASON_STEERED)
      steered(sent, after);
    else if (*reason == HW_REASON_HELD || *reason == HW_REASON_UNKNOWN_FLOW)
      bound(sent, after, *reason);
    else if (*reason == HW_REASON_CONTROL)
      controlled(sent, after);
    else
      expect((sent.possible() >> *reason & 1) != 0, "the reason does not apply");
  }

  void steered(const Sent& sent, const Run& after) {
    const auto expect = [&](bool truth, const char* what) {
      if (!truth) complain(sent, after, HW_REASON_STEERED, what);
    };
    ++steered_;
    expect(sent.sure == 0, "steered in spite of its faults");
    std::uint32_t nexthop = 0;
    if (way_ == Way::mark) {
      expect(after.verdict == test::kPassed && after.bytes == sent.frame, "marked, and more");
      nexthop = world_.with_mark(after.skb.mark);
      expect(nexthop != 0, "marked for nobody");
    } else {
      expect(after.verdict == test::kRedirect, "counted as steered, and not redirected");
      const Frame was(sent.frame), is(after.bytes);
      expect(way_ == Way::local ? is.size() == was.size() &&
                                      std::equal(is.begin() + 12, is.end(), was.begin() + 12)
                                : forwarded(was, is),
             "redirected with other changes than one hop less");
      const bool addressed = !std::equal(is.begin(), is.begin() + 12, was.begin());
      if (addressed) {
        ++direct_;
        nexthop = world_.with_link(is.first(12));
        expect(nexthop != 0, "addressed to nobody");
      }
    }
    // Without state an entry may lie there from before, and says nothing.
    if (!world_.stateless(sent.reading)) {
      const auto flow = tables_.find(sent.reading.key);
      expect(flow.has_value(), "steered, and no flow has its key");
      expect(nexthop == 0 || nexthop == flow->nexthop, "left by another nexthop than its flow's");
      nexthop = flow->nexthop;
    }
    expect(nexthop == 0 || world_.may_leave_by(sent.reading, nexthop),
           "left by a nexthop that it may not use");
  }

  // By marks: a flow that has a nexthop, which it may not use now; or TCP that has none.
  void bound(const Sent& sent, const Run& after, hw_reason reason) {
    const auto flow = tables_.find(sent.reading.key);
    const bool held = reason == HW_REASON_HELD;
    const Faults allowed = kNoNexthop | kMtuFault;
    if (way_ != Way::mark || (sent.sure & ~allowed) != 0 || world_.moves(sent.reading) ||
        held != flow.has_value() ||
        (held && (world_.may_leave_by(sent.reading, flow->nexthop) ||
                  (after.skb.mark != 0 && world_.with_mark(after.skb.mark) != flow->nexthop))))
      complain(sent, after, reason, "not bound");
  }

  void controlled(const Sent& sent, const Run& after) {
    ++control_;
    const auto flow = tables_.find(sent.reading.key);
    if ((sent.sure & ~(kNoNexthop | kMtuFault)) != 0 ||
        (flow && (flow->flags & HW_FLOW_CONTROL) == 0))
      complain(sent, after, HW_REASON_CONTROL, "not of the control group");
  }

  void observe() {
    const Sent sent = next(true);
    const Run after = run(observe_, sent.frame, sent.skb);
    if (after.verdict != test::kPassed || after.bytes != sent.frame ||
        after.skb.mark != sent.skb.mark)
      complain(sent, after, std::nullopt, "observe changed something");
  }

  void complain(const Sent& sent, const Run& after, std::optional<hw_reason> reason,
                const char* what) const {
    FAIL(what << "\n  packet " << number_ << " of seed " << length().seed << ", " << world_.text()
              << "\n  certain faults " << text(sent.sure) << ", possible " << text(sent.perhaps)
              << "; counted " << (reason ? text(fault(*reason)) : "?") << ", verdict "
              << after.verdict << ", mark " << after.skb.mark << ", gso size " << sent.skb.gso_size
              << "\n  before " << hex(sent.frame) << "\n  after  " << hex(after.bytes));
  }

  Way way_;
  World world_;
  Tables tables_;
  Frames frames_;
  Random random_;
  Tables::Reasons counted_ = tables_.reasons();
  int forward_ = -1, observe_ = -1;
  std::uint64_t number_ = 0, steered_ = 0, direct_ = 0, control_ = 0;
};

dataplane::Options options(Way way) {
  dataplane::Options options;
  options.new_flows_per_s = 1'000'000'000;  // every flow can be asked where it went
  options.control_share = 0.05;
  options.actuator = way == Way::mark ? dataplane::Actuator::mark : dataplane::Actuator::redirect;
  return options;
}

void run_campaign(Way way, std::uint64_t share) {
  Campaign(way, options(way), length().seed).send(length().packets * share / 10);
}

}  // namespace

TEST_CASE("no frame is redirected wrongly, changed or left uncounted", "[fuzz]") {
  run_campaign(Way::redirect, 6);
}

TEST_CASE("no frame is marked wrongly, changed or left uncounted", "[fuzz]") {
  run_campaign(Way::mark, 2);
}

TEST_CASE("no frame of this host's own is redirected wrongly, changed or left uncounted",
          "[fuzz]") {
  run_campaign(Way::local, 2);
}

// Nanoseconds a packet, of the program alone: no interface, no stack, no system call.
//
// warm: packets back to back, each of the next flow; the caches hold what they can of all of them.
// cold: the caches are filled with something else before each 64 packets, all of different flows.
// What the frames are made of is read before the clock starts, so a packet's own misses are those of
// its route, flow, bucket and counters; the first one also pays for the code. A loop that only
// writes the frames is subtracted. Variants take turns; each figure is the median of the turns.
#include <netinet/in.h>

#include <functional>
#include <random>

#include "test/bench/internet.hpp"
#include "test/bench/kernel_routes.hpp"
#include "test/bench/packet_set.hpp"
#include "test/bench/parts.hpp"

namespace hopwise::bench {
namespace {

constexpr std::uint32_t kWarmPackets = 65'536;
constexpr std::uint32_t kColdPackets = 64;
constexpr std::size_t kEvictBytes = std::size_t{96} << 20;

struct Pace {
  int warm = 9;
  int cold = 25;
};

/// Fills the caches with memory of its own, and the TLB.
class Evictor {
 public:
  void evict() {
    ++value_;
    for (std::size_t i = 0; i < memory_.size(); i += 64) memory_[i] = value_;
  }

 private:
  std::vector<std::uint8_t> memory_ = std::vector<std::uint8_t>(kEvictBytes);
  std::uint8_t value_ = 0;
};

struct Variant {
  std::string name;
  const Program* program = nullptr;
  std::function<void()> prepare = [] {};
};

class Packets {
 public:
  Packets(Report& report, PacketSet& set, Pace pace) : report_(report), set_(set), pace_(pace) {}

  void warm(const std::string& section, const std::string& row, std::span<const Variant> variants,
            Work work, std::uint32_t flows) {
    measure(section, row, variants, {work, flows, kWarmPackets, false}, pace_.warm, "");
  }
  void cold(const std::string& section, const std::string& row, std::span<const Variant> variants,
            Work work, std::uint32_t flows) {
    measure(section, row, variants, {work, flows, kColdPackets, true}, pace_.cold, ", cold");
  }

 private:
  double once(const Variant& variant, const Stint& stint) {
    variant.prepare();
    if (stint.touch) evictor_.evict();
    return set_.run(*variant.program, stint);
  }

  void measure(const std::string& section, const std::string& row,
               std::span<const Variant> variants, const Stint& stint, int turns,
               const std::string& suffix) {
    Stint base = stint;
    base.work = Work::write;
    std::vector<std::vector<double>> times(variants.size());
    std::vector<double> bases;
    const AloneOnCpu alone;
    for (int turn = -1; turn < turns; ++turn)
      for (std::size_t i = 0; i < variants.size(); ++i) {
        const double empty = once(variants[i], base);
        const double full = once(variants[i], stint);
        if (turn < 0) continue;  // to get used to it
        bases.push_back(empty);
        times[i].push_back(full);
      }
    const double empty = spread(bases).median;
    for (std::size_t i = 0; i < variants.size(); ++i) {
      for (double& time : times[i]) time -= empty;
      report_.add({section, row, variants[i].name + suffix, spread(times[i])});
    }
  }

  Report& report_;
  PacketSet& set_;
  Pace pace_;
  Evictor evictor_;
};

std::string in_words(std::size_t count) {
  if (count >= 1'000'000) return std::to_string(count / 1'000'000) + "M";
  return count >= 1'000 ? std::to_string(count / 1'000) + "k" : std::to_string(count);
}

constexpr const char* kWhole = "packet: ns a packet, the whole program, by what it looks routes up in";
constexpr const char* kLookup = "packet: ns a packet, the route look-up alone";
constexpr const char* kFeatures = "packet: ns a packet, each feature's own cost";
constexpr const char* kAnswers = "packet: ns a packet, answers on WAN ingress (one flow, warm)";

std::string row_name(const char* family, std::size_t routes, std::size_t flows) {
  return std::string(family) + ", " + in_words(routes) + " routes, " + in_words(flows) +
         (flows == 1 ? " flow" : " flows");
}

struct Size {
  std::size_t most4 = 1'000'000, most6 = 200'000;
  std::uint32_t some = 100'000, many = 1'000'000;
};

// Grows the route tables, and runs the three kinds of them over three numbers of flows.
void compare_tables(Packets& packets, PacketSet& set, std::span<const Variant> variants,
                    const Size& size) {
  for (const Family family : {Family::v4, Family::v6}) {
    const bool v4 = family == Family::v4;
    const std::size_t most = v4 ? size.most4 : size.most6;
    const std::vector<Prefix> all = internet(family, most);
    const std::uint32_t nexthops = v4 ? 100 : 200;
    for (const std::size_t count : {std::size_t{10}, most}) {
      const std::span<const Prefix> routes = std::span(all).first(count);
      progress("packet: " + in_words(count) + (v4 ? " IPv4" : " IPv6") + " routes");
      set.add_routes(routes.subspan(count == 10 ? 0 : 10));
      add_kernel_routes(set.where(), routes.subspan(count == 10 ? 0 : 10), nexthops);
      set.set_flows(flows_to({routes.begin(), routes.end()}, size.many, IPPROTO_TCP));
      set.establish(size.some);
      for (const std::uint32_t flows : {1U, size.some, size.many}) {
        const std::string row = row_name(v4 ? "v4" : "v6", count, flows);
        packets.warm(kWhole, row, variants, Work::steer, flows);
        if (flows > 1) packets.cold(kWhole, row, variants, Work::steer, flows);
        if (flows == size.some) {
          packets.warm(kLookup, row, variants, Work::look_up, flows);
          packets.cold(kLookup, row, variants, Work::look_up, flows);
        }
      }
    }
  }
}

void compare_features(Report& report, Packets& packets, PacketSet& set, const Size& size) {
  const std::vector<Prefix> routes = internet(Family::v4, size.most4);
  constexpr std::uint32_t kFlows = 20'000;
  set.set_flows(flows_to(routes, kFlows, IPPROTO_TCP));
  set.establish(kFlows);
  const auto with = [&](auto change) {
    hw_settings settings = usual_settings();
    change(settings);
    return set.load(Over::hopwise, settings);
  };
  const Program usual = with([](hw_settings&) {});
  const Program blind = with([](hw_settings& s) { s.measure = s.escape = 0; });
  const Program unmeasured = with([](hw_settings& s) { s.measure = 0; });
  const Program patient = with([](hw_settings& s) { s.escape = 0; });
  const Program control = with([](hw_settings& s) { s.control_share = 65536 / 10; });
  const Program marking = with([](hw_settings& s) { s.actuator = HW_ACTUATOR_MARK; });
  (void)marking;
  const auto in = [&](dataplane::Affinity affinity, bool direct = true) {
    return [&set, affinity, direct] {
      set.set_affinity(affinity);
      set.set_direct(direct);
    };
  };
  using dataplane::Affinity;
  const std::vector<Variant> variants{
      {"flow affinity, all on", &usual, in(Affinity::flow)},
      {"measurement off", &unmeasured, in(Affinity::flow)},
      {"escape off", &patient, in(Affinity::flow)},
      {"both off", &blind, in(Affinity::flow)},
      {"neighbour resolved by the kernel*", &usual, in(Affinity::flow, false)},
      {"control group of 1/10", &control, in(Affinity::flow)},
      {"bucket affinity, 1/16 measured", &usual, in(Affinity::bucket)},
      {"bucket affinity, both off", &blind, in(Affinity::bucket)},
  };
  progress("packet: features");
  for (const Variant& variant : variants) {
    // One row each: features are read down, not across.
    (void)variant;
  }
  packets.warm(kFeatures, row_name("v4", routes.size(), kFlows), variants, Work::steer, kFlows);
  packets.cold(kFeatures, row_name("v4", routes.size(), kFlows), variants, Work::steer, kFlows);
  in(Affinity::flow)();
  (void)report;
}

}  // namespace

void measure_packet(Report& report, Effort effort) {
  const bool full = effort == Effort::full;
  PacketSet set;
  add_kernel_nexthops(set.where(), 100, "via 192.0.2.2 dev wan0", "via 192.0.2.3 dev wan0");
  add_kernel_nexthops(set.where(), 200, "via 2001:db8::2 dev wan0", "via 2001:db8::3 dev wan0");
  const Size size = full ? Size{} : Size{100'000, 20'000, 20'000, 200'000};
  Packets packets(report, set, full ? Pace{} : Pace{3, 5});
  const Program hopwise = set.load(Over::hopwise, usual_settings());
  const Program trie = set.load(Over::trie, usual_settings());
  const Program kernel = set.load(Over::kernel, usual_settings());
  const std::vector<Variant> variants{
      {"hopwise", &hopwise}, {"LPM trie", &trie}, {"bpf_fib_lookup", &kernel}};
  compare_tables(packets, set, variants, size);
  compare_features(report, packets, set, size);
}

}  // namespace hopwise::bench

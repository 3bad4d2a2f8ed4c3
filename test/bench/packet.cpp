// Nanoseconds a packet, of the program alone: no interface, no stack, no system call.
//
// warm: packets back to back, each of the next flow; the caches hold what they can of all of them.
// cold: the caches are filled with something else before each 64 packets, all of different flows.
// What the frames are made of is read before the clock starts, so a packet's own misses are those
// of its route, flow, bucket and counters; the first one also pays for the code. A loop that only
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
  int warm = 7;
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

/// One cell's fixed half; the variants' names are the other, as columns or as rows.
struct Cells {
  std::string section;
  std::string row;  // "": variants are rows
};

class Packets {
 public:
  Packets(Report& report, PacketSet& set, Pace pace) : report_(report), set_(set), pace_(pace) {}

  void warm(const Cells& cells, std::span<const Variant> variants, Work work, std::uint32_t flows) {
    add(cells, variants, "warm", measure(variants, {work, flows, kWarmPackets, false}, pace_.warm));
  }
  void cold(const Cells& cells, std::span<const Variant> variants, Work work, std::uint32_t flows) {
    add(cells, variants, "cold", measure(variants, {work, flows, kColdPackets, true}, pace_.cold));
  }

 private:
  double once(const Variant& variant, const Stint& stint) {
    variant.prepare();
    if (stint.touch) evictor_.evict();
    return set_.run(*variant.program, stint);
  }

  std::vector<Spread> measure(std::span<const Variant> variants, const Stint& stint, int turns) {
    Stint base = stint;
    base.work = Work::write;
    std::vector<std::vector<double>> times(variants.size());
    std::vector<double> bases;
    const AloneOnCpu alone;
    for (int turn = -1; turn < turns; ++turn)  // the first is to get used to it
      for (std::size_t i = 0; i < variants.size(); ++i) {
        const double empty = once(variants[i], base);
        const double full = once(variants[i], stint);
        if (turn < 0) continue;
        bases.push_back(empty);
        times[i].push_back(full);
      }
    const double empty = spread(bases).median;
    std::vector<Spread> all;
    for (auto& each : times) {
      for (double& time : each) time -= empty;
      all.push_back(spread(each));
    }
    return all;
  }

  void add(const Cells& cells, std::span<const Variant> variants, const std::string& kind,
           const std::vector<Spread>& values) {
    for (std::size_t i = 0; i < variants.size(); ++i) {
      const std::string& name = variants[i].name;
      if (cells.row.empty())
        report_.add({cells.section, name, kind, values[i]});
      else
        report_.add({cells.section, cells.row, name + ", " + kind, values[i]});
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

constexpr const char* kWhole =
    "packet: ns a packet, the whole program, by what it looks routes up in";
constexpr const char* kLookup = "packet: ns a packet, the route look-up alone";
constexpr const char* kAnswers = "packet: ns a packet, answers on WAN ingress";

constexpr const char* kAllOn = "flow affinity, all on, neighbour known";
constexpr const char* kBothOff = "measurement and escape off";

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
        packets.warm({kWhole, row}, variants, Work::steer, flows);
        if (flows > 1) packets.cold({kWhole, row}, variants, Work::steer, flows);
        if (flows != size.some) continue;
        packets.warm({kLookup, row}, variants, Work::look_up, flows);
        packets.cold({kLookup, row}, variants, Work::look_up, flows);
      }
    }
  }
}

std::string features_section(std::size_t routes, std::uint32_t flows) {
  return "packet: ns a packet, each feature's own cost, " + row_name("v4", routes, flows);
}

// `flows` established ones to as many places in `routes`.
void compare_features(Packets& packets, PacketSet& set, std::size_t routes, std::uint32_t flows) {
  progress(features_section(routes, flows));
  set.set_flows(flows_to(internet(Family::v4, routes), flows, IPPROTO_TCP));
  set.establish(flows);
  const auto with = [&](auto change) {
    hw_settings settings = usual_settings();
    change(settings);
    return set.load(Over::hopwise, settings);
  };
  const Program usual = with([](hw_settings&) {});
  const Program unmeasured = with([](hw_settings& s) { s.measure = 0; });
  const Program patient = with([](hw_settings& s) { s.escape = 0; });
  const Program blind = with([](hw_settings& s) { s.measure = s.escape = 0; });
  const Program control = with([](hw_settings& s) { s.control_share = 65536 / 10; });
  const auto in = [&set](dataplane::Affinity affinity, bool direct = true) {
    return [&set, affinity, direct] {
      set.set_affinity(affinity);
      set.set_direct(direct);
      set.dataplane().set_classes({}).value();
    };
  };
  // Each is looked at to its end: only the last word of the destination tells.
  const auto with_rules = [&set, &in](std::size_t count) {
    ClassRule rule;
    rule.protocol = IPPROTO_TCP;
    rule.destination_port = PortRange{1, 65535};
    rule.destination = Prefix::parse("0.0.0.1/32");
    return [&set, usual = in(dataplane::Affinity::flow), rules = std::vector(count, rule)] {
      usual();
      set.dataplane().set_classes(rules).value();
    };
  };
  using dataplane::Affinity;
  const std::vector<Variant> variants{
      {kAllOn, &usual, in(Affinity::flow)},
      {"measurement off", &unmeasured, in(Affinity::flow)},
      {"escape off", &patient, in(Affinity::flow)},
      {kBothOff, &blind, in(Affinity::flow)},
      {"neighbour left to the kernel (its own look-up not included)", &usual,
       in(Affinity::flow, false)},
      {"control group of 1/10 (of new flows: the check alone)", &control, in(Affinity::flow)},
      {"4 rules of classes, none of which fits", &usual, with_rules(4)},
      {"32 rules of classes, none of which fits", &usual, with_rules(32)},
      {"flowlet affinity", &usual, in(Affinity::flowlet)},
      {"bucket affinity, 1/16 measured", &usual, in(Affinity::bucket)},
      {"bucket affinity, measurement and escape off", &blind, in(Affinity::bucket)},
  };
  const std::string section = features_section(routes, flows);
  packets.warm({section, ""}, variants, Work::steer, flows);
  if (flows > 1) packets.cold({section, ""}, variants, Work::steer, flows);
  in(Affinity::flow)();
}

void answers(Report& report, PacketSet& set) {
  std::vector<double> known, unknown;
  const AloneOnCpu alone;
  for (int i = 0; i < 5; ++i) {
    known.push_back(set.observe(Answer::known));
    unknown.push_back(set.observe(Answer::unknown));
  }
  report.explain(kAnswers, "One packet again and again: one flow, warm, nothing new to be learnt.");
  report.add({kAnswers, "of a known flow", "warm", spread(known)});
  report.add({kAnswers, "of no flow", "warm", spread(unknown)});
}

void judge(Report& report, const Size& size) {
  const std::string few = row_name("v4", 10, size.some),
                    many = row_name("v4", size.most4, size.some);
  for (const std::string kind : {"warm", "cold"}) {
    const auto of = [&](const char* section, const std::string& row, const char* what) {
      return report.median(section, row, what + (", " + kind));
    };
    report.judge({"packet: route look-up, " + many + ", " + kind, Bound::at_least, 3,
                  of(kLookup, many, "LPM trie") / of(kLookup, many, "hopwise"), "x LPM trie"});
    report.judge({"packet: whole program, " + many + ", " + kind, Bound::at_least, 3,
                  of(kWhole, many, "LPM trie") / of(kWhole, many, "hopwise"), "x LPM trie"});
    report.judge({"packet: whole program, many routes over 10, " + kind, Bound::at_most, 1.5,
                  of(kWhole, many, "hopwise") / of(kWhole, few, "hopwise"), "x"});
  }
  for (const std::uint32_t flows : {1U, 20'000U}) {
    const std::string section = features_section(size.most4, flows);
    report.judge({"packet: measurement and escape, " + row_name("v4", size.most4, flows) + ", warm",
                  Bound::at_most, 40,
                  report.median(section, kAllOn, "warm") - report.median(section, kBothOff, "warm"),
                  "ns"});
  }
}

}  // namespace

void measure_packet(Report& report, Effort effort) {
  const bool full = effort == Effort::full;
  PacketSet set;
  add_kernel_nexthops(set.where(), 100, "via 192.0.2.2 dev wan0", "via 192.0.2.3 dev wan0");
  add_kernel_nexthops(set.where(), 200, "via 2001:db8::2 dev wan0", "via 2001:db8::3 dev wan0");
  const Size size = full ? Size{} : Size{100'000, 20'000, 20'000, 200'000};
  Packets packets(report, set, full ? Pace{} : Pace{3, 5});
  for (const char* section : {kWhole, kLookup})
    report.explain(section,
                   "warm: packets back to back, each of the next flow to a random route; cold: 64 "
                   "packets after 96 MiB of other memory were written (caches and TLB). The loop's "
                   "own time is subtracted.");
  const Program hopwise = set.load(Over::hopwise, usual_settings());
  const Program trie = set.load(Over::trie, usual_settings());
  const Program kernel = set.load(Over::kernel, usual_settings());
  const std::vector<Variant> variants{
      {"hopwise", &hopwise}, {"LPM trie", &trie}, {"bpf_fib_lookup", &kernel}};
  compare_tables(packets, set, variants, size);
  for (const std::uint32_t flows : {1U, 20'000U}) compare_features(packets, set, size.most4, flows);
  answers(report, set);
  judge(report, size);
}

}  // namespace hopwise::bench

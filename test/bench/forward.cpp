// Packets forwarded by one CPU: the kernel's ECMP against every way in which hopwise forwards.
//
// A packet's time holds the generator, a veth into the router, the router, a veth out of it, and
// the sink. `drop` ends it at the router's LAN ingress: what is above that base is the forwarding
// part. `bare` is the least that any program can do there: it writes two MAC addresses and
// redirects. All contenders take turns, and each figure is the median of the rounds.
#include <netinet/in.h>

#include <array>
#include <chrono>
#include <functional>
#include <optional>
#include <stdexcept>

#include "test/bench/internet.hpp"
#include "test/bench/kernel_routes.hpp"
#include "test/bench/parts.hpp"
#include "test/bench/road.hpp"
#include "test/bench/steering.hpp"
#include "test/bench/visit.hpp"

namespace hopwise::bench {
namespace {

using dataplane::Actuator;
using dataplane::Affinity;

constexpr std::uint32_t kMarkBase = 0x68770000;
constexpr std::size_t kFlows = 20'000;

constexpr const char* kDrop = "dropped at LAN ingress (base)";
constexpr const char* kKernel = "kernel ECMP, layer-4 hash";
constexpr const char* kKernel3 = "kernel ECMP, layer-3 hash";
constexpr const char* kRedirect = "hopwise redirect, flow affinity, all measured";
constexpr const char* kBucket = "hopwise redirect, bucket affinity, 1/16 measured";

/// One that forwards; its turn is between begin() and end().
class Contender {
 public:
  explicit Contender(std::string name) : name_(std::move(name)) {}
  virtual ~Contender() = default;
  Contender(const Contender&) = delete;
  Contender& operator=(const Contender&) = delete;

  virtual Passage drive(int stretches) = 0;
  virtual void add_routes(std::span<const Prefix>) {}
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  std::string name_;
};

class Standing final : public Contender {
 public:
  Standing(std::string name, Road& road, Stand stand)
      : Contender(std::move(name)), road_(road), stand_(stand) {}
  Passage drive(int stretches) override { return road_.drive(stretches, stand_); }

 private:
  Road& road_;
  Stand stand_;
};

class KernelEcmp final : public Contender {
 public:
  KernelEcmp(std::string name, Road& road, std::string hash_policy)
      : Contender(std::move(name)), road_(road), hash_policy_(std::move(hash_policy)) {}
  Passage drive(int stretches) override {
    road_.router().sysctl("net/ipv4/fib_multipath_hash_policy", hash_policy_).value();
    return road_.drive(stretches);
  }

 private:
  Road& road_;
  std::string hash_policy_;
};

struct Way {
  Actuator actuator = Actuator::redirect;
  Affinity affinity = Affinity::flow;
  bool measure = true;
  bool direct = true;  // link-layer addresses are kept in the map
};

class Hopwise final : public Contender {
 public:
  Hopwise(std::string name, Road& road, const Way& way) : Contender(std::move(name)), road_(road) {
    dataplane::Options options;
    options.pin_root.clear();
    options.actuator = way.actuator;
    options.mark_base = kMarkBase;
    options.measure = options.escape = way.measure;
    options.new_flows_per_s = 100'000'000;  // the first packets come in a burst
    const Visit visit(road_.router());
    dataplane_ = steering(options, way.affinity, uplinks(way.direct));
  }

  void add_routes(std::span<const Prefix> routes) override { set_routes(*dataplane_, routes); }

  Passage drive(int stretches) override {
    attach(true);
    road_.greet();
    const auto before = dataplane_->counters().packets_by_reason;
    dataplane_->renew_lease(std::chrono::steady_clock::now());
    const Passage passage = road_.drive(stretches);
    const auto after = dataplane_->counters().packets_by_reason;
    attach(false);
    if (after.at("steered") - before.at("steered") < passage.sent) {
      std::string told = name() + ": not every packet was steered:";
      for (const auto& [reason, packets] : after)
        if (packets != before.at(reason))
          told += ' ' + reason + ' ' + std::to_string(packets - before.at(reason));
      throw std::runtime_error(told);
    }
    return passage;
  }

 private:
  [[nodiscard]] std::array<Uplink, 2> uplinks(bool direct) const {
    std::array<Uplink, 2> both;
    for (std::uint8_t i = 0; i < 2; ++i) {
      both[i].ifindex = road_.wan(i);
      both[i].interface = "wan" + std::to_string(i);
      both[i].gateways = {i == 0 ? "192.0.2.2" : "198.51.100.2", ""};
      if (direct) both[i].link = dataplane::Link{{2, 0, 0, 0, 3, i}, {2, 0, 0, 0, 2, i}, 1500};
    }
    return both;
  }

  void attach(bool wanted) {
    using dataplane::Role;
    const Visit visit(road_.router());
    dataplane_->renew_lease(std::chrono::steady_clock::now());
    std::vector<dataplane::Dataplane::Attachment> attachments;
    if (wanted)
      attachments = {{road_.lan(), "lan0", Role::lan},
                     {road_.wan(0), "wan0", Role::wan},
                     {road_.wan(1), "wan1", Role::wan}};
    for (const Error& error : dataplane_->attach(attachments))
      throw std::runtime_error(error.message);
  }

  Road& road_;
  std::unique_ptr<dataplane::Dataplane> dataplane_;
};

// Rules as the daemon makes them: a mark, a table, a route.
void add_mark_rules(const Road& road) {
  constexpr std::array<const char*, 2> gateways{"192.0.2.2", "198.51.100.2"};
  for (std::uint32_t i = 0; i < 2; ++i) {
    const std::string table = std::to_string(10'000 + i);
    road.router()
        .ip("route add default via " + std::string(gateways[i]) + " dev wan" + std::to_string(i) +
            " table " + table + "\nrule add fwmark " + std::to_string(kMarkBase + i + 1) +
            " table " + table + " priority " + table)
        .value();
  }
}

using Contenders = std::vector<std::unique_ptr<Contender>>;

Contenders contenders(Road& road, Road& marked) {
  Contenders all;
  const auto add = [&](auto contender) { all.push_back(std::move(contender)); };
  add(std::make_unique<Standing>(kDrop, road, Stand::drop));
  add(std::make_unique<Standing>("bare redirect (bound)", road, Stand::bare));
  add(std::make_unique<KernelEcmp>(kKernel3, road, "0"));
  add(std::make_unique<KernelEcmp>(kKernel, road, "1"));
  add(std::make_unique<Hopwise>(kRedirect, road, Way{}));
  add(std::make_unique<Hopwise>("the same, not measured", road, Way{.measure = false}));
  add(std::make_unique<Hopwise>("the same as the first, neighbours resolved by the kernel", road,
                                Way{.direct = false}));
  add(std::make_unique<Hopwise>(kBucket, road, Way{.affinity = Affinity::bucket}));
  add(std::make_unique<Hopwise>("hopwise mark, flow affinity, all measured", marked,
                                Way{.actuator = Actuator::mark}));
  return all;
}

struct Turns {
  int rounds = 5;
  int stretches = 16;
};

void run_turns(Report& report, const std::string& section, Contenders& all, const Turns& turns) {
  std::map<std::string, std::vector<double>> total, forwarding;
  for (int round = 0; round < turns.rounds; ++round) {
    double base = 0;
    for (const auto& contender : all) {
      const Passage passage = contender->drive(turns.stretches);
      if (passage.arrived < passage.sent)
        throw std::runtime_error(contender->name() + ": " + std::to_string(passage.arrived) +
                                 " packets arrived of " + std::to_string(passage.sent));
      if (contender->name() == kDrop) base = passage.ns_per_packet;
      total[contender->name()].push_back(passage.ns_per_packet);
      forwarding[contender->name()].push_back(passage.ns_per_packet - base);
    }
    progress(section + ": round " + std::to_string(round + 1) + " of " +
             std::to_string(turns.rounds));
  }
  const double kernel = spread(total[kKernel]).median;
  const double kernel_part = spread(forwarding[kKernel]).median;
  for (const auto& contender : all) {
    const std::string& name = contender->name();
    const Spread all_of_it = spread(total[name]), part = spread(forwarding[name]);
    report.add({section, name, "ns/packet", all_of_it});
    report.add({section,
                name,
                "Mpackets/s",
                {1e3 / all_of_it.median, 1e3 / all_of_it.median, 1e3 / all_of_it.median}});
    const double times = kernel / all_of_it.median;
    report.add({section, name, "x kernel", {times, times, times}});
    if (name == kDrop) continue;
    report.add({section, name, "forwarding part, ns", part});
    const double part_times = kernel_part / part.median;
    report.add({section, name, "x kernel's part", {part_times, part_times, part_times}});
  }
}

std::string section_name(std::size_t routes, std::uint8_t protocol) {
  return std::string("forward: ") + (protocol == IPPROTO_TCP ? "TCP with time stamps" : "UDP") +
         ", " + std::to_string(routes) + " routes, 20,000 flows";
}

void judge(Report& report, const std::string& section) {
  const auto part = [&](const char* row) { return report.median(section, row, "x kernel's part"); };
  report.judge({section + ": redirect, measured", Bound::at_least, 1.5, part(kRedirect),
                "x kernel ECMP's part"});
  report.judge({section + ": bucket, 1/16 measured", Bound::at_least, 2.5, part(kBucket),
                "x kernel ECMP's part"});
}

}  // namespace

void measure_forward(Report& report, Effort effort) {
  const Turns turns = effort == Effort::full ? Turns{5, 16} : Turns{3, 6};
  Road road("fw"), marked("mk");
  add_kernel_nexthops(road.router(), 100, "via 192.0.2.2 dev wan0", "via 198.51.100.2 dev wan1");
  add_mark_rules(marked);
  Contenders all = contenders(road, marked);
  const std::size_t most = effort == Effort::full ? 1'000'000 : 100'000;
  for (const std::size_t count : {std::size_t{10}, most}) {
    progress("forward: " + std::to_string(count) + " routes into the kernel and the data planes");
    const std::vector<Prefix> routes = internet(Family::v4, count);
    const std::span<const Prefix> fresh = std::span(routes).subspan(count == 10 ? 0 : 10);
    add_kernel_routes(road.router(), fresh, 100);
    for (const auto& contender : all) contender->add_routes(fresh);
    for (const std::uint8_t protocol : {IPPROTO_TCP, IPPROTO_UDP}) {
      if (protocol == IPPROTO_UDP && effort == Effort::quick) continue;
      const auto flows = flows_to(routes, kFlows, protocol);
      for (Road* each : {&road, &marked}) each->set_flows(flows);
      const std::string section = section_name(count, protocol);
      report.explain(section, "One pinned CPU; median of " + std::to_string(turns.rounds) +
                                  " interleaved rounds (extremes). The forwarding part is what is "
                                  "above the base.");
      run_turns(report, section, all, turns);
      judge(report, section);
    }
  }
}

}  // namespace hopwise::bench

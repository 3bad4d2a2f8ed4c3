#include "probes/trace/tracer.hpp"

#include <unistd.h>

#include <boost/asio/io_context.hpp>

#include "probes/binding/binding.hpp"
#include "test/catch.hpp"
#include "test/unit/probes/bench.hpp"
#include "test/unit/probes/trace/chain.hpp"

using namespace hopwise;
using namespace hopwise::probes;
using namespace std::chrono_literals;

namespace {

/// A tracer in the chain's router, and the rules that lead its probes to gateway a (1) or b (2).
class Traces {
 public:
  explicit Traces(const Chain& chain) : chain_(chain), visit_(chain.router) {
    auto binding = Binding::open({});
    if (!binding) FAIL(binding.error().message);
    binding_ = std::move(*binding);
  }

  [[nodiscard]] TraceRequest request(std::uint32_t gateway, const IpAddress& destination) const {
    const Nexthop nexthop = chain_.nexthop(gateway, destination.family);
    const auto bound = binding_->bind(nexthop, destination.family);
    if (!bound) FAIL(bound.error().message);
    return {{binding_->mark(nexthop.id), nexthop.key.ifindex},
            destination,
            {.round = 100ms, .patience = 300ms, .last_patience = 400ms}};
  }

  std::uint64_t start(const TraceRequest& request, Findings& findings) {
    const auto id = tracer.start(request, [&](const Findings& found) {
      CHECK_FALSE(findings.ended);  // nothing is told after the end
      findings = found;
      told++;
    });
    if (!id) FAIL(id.error().message);
    return *id;
  }

  /// Until the trace has ended.
  Findings run(const TraceRequest& request) {
    Findings findings;
    start(request, findings);
    until([&] { return findings.ended; });
    return findings;
  }
  template <class Fact>
  void until(Fact fact) {
    const auto end = std::chrono::steady_clock::now() + 60s;
    while (!fact() && std::chrono::steady_clock::now() < end) io.run_one_for(100ms);
    REQUIRE(fact());
  }

 private:
  const Chain& chain_;
  NetNamespace::Visit visit_;
  std::unique_ptr<Binding> binding_;

 public:
  boost::asio::io_context io;
  Tracer tracer{io};
  int told = 0;
};

struct Addresses {
  Family family;
  const char *a, *b;
  // What core answers with: in IPv4 the address that is nearer to the router, by a, whichever way
  // the probe came; in IPv6 the address that it came to.
  const char *core_by_a, *core_by_b;
  const char *far, *host;
};
const Addresses kV4Chain{Family::v4, "10.9.0.1", "10.9.0.2",   "10.1.0.2",
                         "10.1.0.2", "10.3.0.2", "203.0.113.1"};
const Addresses kV6Chain{Family::v6, "fd09::1", "fd09::2",    "fd01::2",
                         "fd02::2",  "fd03::2", "2001:db8::1"};

// The only address that answered at that distance, as text.
std::string at(const Findings& findings, std::size_t distance) {
  if (findings.hops.size() < distance) return "no hop";
  const TraceHop& hop = findings.hops[distance - 1];
  if (hop.answers.size() != 1) return std::to_string(hop.answers.size()) + " answers";
  return hop.answers[0].from.text();
}

}  // namespace

TEST_CASE("a trace goes by its gateway, of two on one interface, and names every hop",
          "[trace][netns]") {
  NEEDS_ROOT();
  const Addresses& to = GENERATE(kV4Chain, kV6Chain);
  const Chain chain;
  Traces traces(chain);
  for (const std::uint32_t gateway : {1U, 2U}) {
    INFO("gateway " << gateway);
    const Findings found = traces.run(traces.request(gateway, address(to.host)));
    CHECK_FALSE(found.error);
    CHECK(found.reached);
    REQUIRE(found.hops.size() == 4);
    CHECK(at(found, 1) == (gateway == 1 ? to.a : to.b));
    CHECK(at(found, 2) == (gateway == 1 ? to.core_by_a : to.core_by_b));
    CHECK(at(found, 3) == to.far);
    CHECK(at(found, 4) == to.host);
    for (const TraceHop& hop : found.hops) {
      CHECK(hop.sent == 3);
      CHECK(hop.answered() == 3);
      CHECK(hop.answers[0].least > 0ns);
      CHECK(hop.answers[0].least <= hop.answers[0].mean);
      CHECK(hop.answers[0].mean <= hop.answers[0].most);
    }
  }
  CHECK(traces.told > 8);  // as answers come, not at the end alone
}

TEST_CASE("a trace finds the hop behind which packets vanish", "[trace][netns]") {
  NEEDS_ROOT();
  const Addresses& to = GENERATE(kV4Chain, kV6Chain);
  const Chain chain;
  Traces traces(chain);
  chain.far.sh("ip route add blackhole 203.0.113.1/32; ip -6 route add blackhole 2001:db8::1/128");
  const Findings found = traces.run(traces.request(2, address(to.host)));
  CHECK_FALSE(found.reached);
  // A router drops what must vanish before it looks at how far it may go: far is silent too.
  REQUIRE(found.hops.size() == 3);
  CHECK(at(found, 1) == to.b);
  CHECK(at(found, 2) == to.core_by_b);
  CHECK(found.hops[2].answers.empty());
  CHECK(found.hops[2].sent == 3);
}

TEST_CASE("a trace tells who says that there is no way on", "[trace][netns]") {
  NEEDS_ROOT();
  const Addresses& to = GENERATE(kV4Chain, kV6Chain);
  const Chain chain;
  Traces traces(chain);
  SECTION("no route") {
    chain.far.sh("ip route del 203.0.113.0/24; ip -6 route del 2001:db8::/32");
    const Findings found = traces.run(traces.request(1, address(to.host)));
    CHECK_FALSE(found.reached);
    REQUIRE(found.hops.size() == 3);
    CHECK(at(found, 3) == to.far);
    CHECK(found.hops[2].answers[0].note == std::string("!N"));
  }
  SECTION("forbidden") {
    chain.far.sh("ip route add prohibit 203.0.113.1/32; ip -6 route add prohibit 2001:db8::1/128");
    const Findings found = traces.run(traces.request(1, address(to.host)));
    CHECK_FALSE(found.reached);
    REQUIRE(found.hops.size() == 3);
    CHECK(found.hops[2].answers[0].note == std::string("!X"));
  }
}

TEST_CASE("a hop that answers at a limited rate is followed by hops that answer all",
          "[trace][netns]") {
  NEEDS_ROOT();
  const Addresses& to = GENERATE(kV4Chain, kV6Chain);
  const Chain chain;
  Traces traces(chain);
  chain.core.sh("sysctl -qw net.ipv4.icmp_ratelimit=100000 net.ipv6.icmp.ratelimit=100000");
  TraceRequest request = traces.request(1, address(to.host));
  request.options.probes = 20;
  request.options.round = 20ms;
  request.options.patience = 100ms;
  const Findings found = traces.run(request);
  CHECK(found.reached);
  REQUIRE(found.hops.size() == 4);
  CHECK(found.hops[1].sent == 20);
  CHECK(found.hops[1].answered() < 20);
  CHECK(found.hops[3].answered() == 20);
}

TEST_CASE("a trace by a nexthop that is gone fails, and names the cause", "[trace][netns]") {
  NEEDS_ROOT();
  const Addresses& to = GENERATE(kV4Chain, kV6Chain);
  const Chain chain;
  Traces traces(chain);
  const TraceRequest request = traces.request(1, address(to.host));
  chain.router.sh("ip link set wan down");
  const Findings found = traces.run(request);
  CHECK(found.ended);
  REQUIRE(found.error);
  INFO(*found.error);
  CHECK(found.error->find(to.host) != std::string::npos);
  CHECK(found.error->find("unreachable") != std::string::npos);
}

TEST_CASE("a trace whose probe goes to another gateway fails", "[trace][netns]") {
  NEEDS_ROOT();
  const Addresses& to = GENERATE(kV4Chain, kV6Chain);
  const Chain chain;
  Traces traces(chain);
  TraceRequest request = traces.request(1, address(to.host));
  request.way.gateway = EthernetAddress{2, 0, 0, 0, 0, 77};
  const Findings found = traces.run(request);
  CHECK_FALSE(found.reached);
  REQUIRE(found.error);
  CHECK(found.error->find("another gateway") != std::string::npos);
}

TEST_CASE("several traces at once do not take each other's answers", "[trace][netns]") {
  NEEDS_ROOT();
  const Addresses& to = GENERATE(kV4Chain, kV6Chain);
  const Chain chain;
  Traces traces(chain);
  std::array<Findings, Tracer::kMost> found;
  for (std::size_t i = 0; i < found.size(); i++)
    traces.start(traces.request(i % 2 == 0 ? 1 : 2, address(to.host)), found[i]);
  CHECK_FALSE(
      traces.tracer.start(traces.request(1, address(to.host)), [](const Findings&) {}).has_value());
  traces.until([&] { return std::ranges::all_of(found, &Findings::ended); });
  for (std::size_t i = 0; i < found.size(); i++) {
    CHECK(found[i].reached);
    CHECK(at(found[i], 1) == (i % 2 == 0 ? to.a : to.b));
    for (const TraceHop& hop : found[i].hops) CHECK(hop.answered() <= hop.sent);
  }
}

TEST_CASE("a trace that is canceled says so, once, and its late answers hurt nobody",
          "[trace][netns]") {
  NEEDS_ROOT();
  const Chain chain;
  Traces traces(chain);
  Findings found;
  const auto id = traces.start(traces.request(1, address("203.0.113.1")), found);
  traces.until([&] { return !found.hops.empty(); });
  traces.tracer.cancel(id);
  CHECK(found.ended);
  CHECK(found.error == std::string("canceled"));
  traces.tracer.cancel(id);
  CHECK(traces.run(traces.request(2, address("203.0.113.1"))).reached);
}

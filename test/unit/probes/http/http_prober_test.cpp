#include "probes/http/http_prober.hpp"

#include <cstdlib>

#include "test/catch.hpp"
#include "test/unit/probes/http/http_bench.hpp"
#include "test/unit/probes/http/web.hpp"

using namespace hopwise;
using namespace hopwise::probes;
using namespace std::chrono_literals;

namespace {

// Whom OpenSSL trusts, in this process, as long as this lives.
struct Trust {
  explicit Trust(const std::string& certificate) {
    setenv("SSL_CERT_FILE", certificate.c_str(), 1);
  }
  Trust(const Trust&) = delete;
  Trust& operator=(const Trust&) = delete;
  ~Trust() { unsetenv("SSL_CERT_FILE"); }
};

AnchorSpec https(Family family, const char* host) {
  AnchorSpec spec(web(family, ProbeKind::https, 443));
  spec.http_host = host;
  return spec;
}

// Silence, from where the anchors were.
void bury_anchors(const NetNamespace& gateway) {
  gateway.sh("ip addr del 203.0.113.1/32 dev lo; ip addr del 2001:db8::1/128 dev lo");
  gateway.sh("ip route add blackhole 203.0.113.0/24; ip route add blackhole 2001:db8::/32");
}

void raise_anchors(const NetNamespace& gateway) {
  gateway.sh("ip route del blackhole 203.0.113.0/24; ip route del blackhole 2001:db8::/32");
  gateway.sh("ip addr add 203.0.113.1/32 dev lo; ip addr add 2001:db8::1/128 dev lo nodad");
}

}  // namespace

TEST_CASE("every GET leaves through exactly its gateway, of two on one interface",
          "[probes][http][netns]") {
  NEEDS_ROOT();
  const Gateways gw = GENERATE(kV4, kV6);
  const Lan lan;
  const Nginx at_a(lan.a);
  const Nginx at_b(lan.b);
  HttpBench bench(lan);
  bench.probe(lan.nexthop(1, gw.a), {web(gw.family)});
  bench.probe(lan.nexthop(2, gw.b), {web(gw.family)});
  REQUIRE(bench.wait_for(
      [&] { return bench.count(1, Outcome::reply) >= 10 && bench.count(2, Outcome::reply) >= 5; }));
  bench.prober->set_ready(NexthopId{1}, {});
  bench.prober->set_ready(NexthopId{2}, {});
  CHECK(bench.count(1, Outcome::lost) + bench.count(2, Outcome::lost) == 0);
  // One that was out when it ended may have been answered or not.
  const auto all_came = [&](const Nginx& to, std::uint32_t id) {
    const ProbeStatus status = bench.status(id);
    return to.answered() >= status.received && to.answered() <= status.sent;
  };
  CHECK(bench.wait_for([&] { return all_came(at_a, 1) && all_came(at_b, 2); }));
  CHECK_FALSE(bench.status(1).last_error);
}

TEST_CASE("connect is the kernel's round trip, apart from the first byte",
          "[probes][http][netns]") {
  NEEDS_ROOT();
  const Gateways gw = GENERATE(kV4, kV6);
  const Lan lan;
  const Server slow(lan.a, 80, [](int connection) {
    read_request(connection);
    std::this_thread::sleep_for(300ms);
    write_text(connection, "HTTP/1.1 200 OK\r\n\r\n");
  });
  HttpBench bench(lan);
  bench.probe(lan.nexthop(1, gw.a), {web(gw.family)});
  REQUIRE(bench.wait_for([&] { return bench.count(1, Outcome::reply) >= 3; }));
  for (const Sample& sample : bench.samples) {
    REQUIRE(sample.first_byte);
    CHECK(*sample.first_byte >= 300ms);
    CHECK(sample.rtt > 0ns);
    CHECK(sample.rtt < 300ms);
    CHECK(sample.known >= sample.sent + sample.rtt + *sample.first_byte);
    CHECK(sample.source == TimestampSource::kernel);
    CHECK(sample.anchor == web(gw.family));
  }
  CHECK_FALSE(bench.status(1).last_error);
  CHECK(bench.status(1).first_byte >= 300ms);
  CHECK(bench.status(1).kernel_stamped == bench.status(1).received);
}

TEST_CASE("of two gateways only the SYNs of the dead one are lost", "[probes][http][netns]") {
  NEEDS_ROOT();
  const Gateways gw = GENERATE(kV4, kV6);
  const Lan lan;
  const Nginx at_b(lan.b);
  bury_anchors(lan.a);
  HttpBench bench(lan);
  bench.probe(lan.nexthop(1, gw.a), {web(gw.family)});
  bench.probe(lan.nexthop(2, gw.b), {web(gw.family)});
  REQUIRE(bench.wait_for([&] { return bench.count(1, Outcome::lost) >= 4; }));
  CHECK(bench.count(1, Outcome::reply) == 0);
  CHECK(bench.count(2, Outcome::reply) >= 1);
  CHECK(bench.count(2, Outcome::lost) == 0);
  const ProbeStatus status = bench.status(1);
  CHECK(status.lost == bench.count(1, Outcome::lost));
  CHECK(status.sent >= status.lost);
  CHECK(status.sent <= status.lost + 1);
  CHECK(bench.trouble_has(1, "no answer to"));
}

TEST_CASE("a SYN that was sent again is a loss, and its RTO is in no round trip",
          "[probes][http][netns]") {
  NEEDS_ROOT();
  const Gateways gw = GENERATE(kV4, kV6);
  const Lan lan;
  const Nginx at_a(lan.a);
  bury_anchors(lan.a);
  Options options = brisk();
  options.http_timeout = 20s;
  HttpBench bench(lan, options);
  bench.probe(lan.nexthop(1, gw.a), {web(gw.family)});
  REQUIRE(bench.wait_for([&] { return bench.count(1, Outcome::lost) == 1; }));
  raise_anchors(lan.a);
  REQUIRE(bench.wait_for([&] { return bench.count(1, Outcome::reply) >= 1; }));
  const auto reply = std::find_if(bench.samples.begin(), bench.samples.end(),
                                  [](const Sample& s) { return s.outcome == Outcome::reply; });
  CHECK(reply->rtt < 500ms);
  CHECK(reply->source == TimestampSource::kernel);
  CHECK(reply->sent - bench.samples.front().sent >= 900ms);
  const ProbeStatus status = bench.status(1);
  CHECK(status.sent - status.received - status.lost <= 1);
}

TEST_CASE("a closed port is an answer of the path", "[probes][http][netns]") {
  NEEDS_ROOT();
  const Gateways gw = GENERATE(kV4, kV6);
  const Lan lan;
  HttpBench bench(lan);
  bench.probe(lan.nexthop(1, gw.a), {web(gw.family)});
  REQUIRE(bench.wait_for([&] { return bench.count(1, Outcome::reply) >= 3; }));
  CHECK(bench.count(1, Outcome::lost) == 0);
  CHECK(bench.trouble_has(1, "closed"));
  CHECK(bench.samples.back().source == TimestampSource::user);
  CHECK_FALSE(bench.samples.back().first_byte);
}

TEST_CASE("a status of 4xx or 5xx is told and loses nothing", "[probes][http][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  const Nginx at_a(lan.a);
  HttpBench bench(lan);
  AnchorSpec missing(web(Family::v4));
  missing.http_path = "/missing";
  AnchorSpec broken(web(Family::v6));
  broken.http_path = "/broken";
  bench.probe(lan.nexthop(1, kV4.a), {missing});
  bench.probe(lan.nexthop(2, kV6.a), {broken});
  REQUIRE(bench.wait_for(
      [&] { return bench.count(1, Outcome::reply) >= 2 && bench.count(2, Outcome::reply) >= 2; }));
  CHECK(bench.trouble(1) == "HTTP status 404 Not Found");
  CHECK(bench.trouble_has(2, "HTTP status 503"));
  CHECK(bench.samples.back().first_byte);
  CHECK(bench.count(1, Outcome::lost) + bench.count(2, Outcome::lost) == 0);
}

TEST_CASE("HTTPS verifies the certificate, and the path answers in any case",
          "[probes][http][netns]") {
  NEEDS_ROOT();
  const Gateways gw = GENERATE(kV4, kV6);
  const Lan lan;
  const Nginx at_a(lan.a);
  const auto probe_until = [&](HttpBench& bench, const AnchorSpec& spec) {
    bench.probe(lan.nexthop(1, gw.a), {spec});
    REQUIRE(bench.wait_for([&] { return bench.count(1, Outcome::reply) >= 3; }));
    CHECK(bench.count(1, Outcome::lost) == 0);
    CHECK(bench.samples.back().source == TimestampSource::kernel);
  };
  SECTION("of a trusted authority and for the host") {
    const Trust trust(at_a.certificate());
    HttpBench bench(lan);
    probe_until(bench, https(gw.family, "probe.example"));
    CHECK(bench.trouble(1).empty());
    CHECK(bench.samples.back().first_byte);
  }
  SECTION("for another host") {
    const Trust trust(at_a.certificate());
    HttpBench bench(lan);
    probe_until(bench, https(gw.family, "other.example"));
    CHECK(bench.trouble_has(1, "TLS: certificate"));
    CHECK_FALSE(bench.samples.back().first_byte);
  }
  SECTION("of nobody who is trusted") {
    HttpBench bench(lan);
    probe_until(bench, https(gw.family, "probe.example"));
    CHECK(bench.trouble_has(1, "TLS: certificate refused"));
  }
  SECTION("any, where it is not verified") {
    HttpBench bench(lan);
    AnchorSpec spec = https(gw.family, "other.example");
    spec.verify_certificate = false;
    probe_until(bench, spec);
    CHECK(bench.trouble(1).empty());
  }
  SECTION("on a port that speaks no TLS") {
    HttpBench bench(lan);
    probe_until(bench, AnchorSpec(web(gw.family, ProbeKind::https, 80)));
    CHECK(bench.trouble_has(1, "TLS: "));
  }
}

TEST_CASE("a mark that leads nowhere is unsent, not lost", "[probes][http][netns]") {
  NEEDS_ROOT();
  const Gateways gw = GENERATE(kV4, kV6);
  const Lan lan;
  const Nginx at_b(lan.b);
  lan.router.sh("ip route add default via 10.9.0.2; ip -6 route add default via fd09::2");
  HttpBench bench(lan);
  bench.probe(lan.nexthop(3, gw.c, "side"), {web(gw.family)});
  REQUIRE(bench.wait_for([&] { return bench.count(3, Outcome::reply) >= 2; }));
  lan.router.sh("ip link set side down");
  REQUIRE(bench.wait_for([&] { return bench.status(3).unsent >= 3; }));
  CHECK(bench.status(3).state == ProbeState::unbound);
  CHECK(bench.count(3, Outcome::lost) == 0);
  CHECK(at_b.answered() == 0);
  // The guard itself, behind an empty table.
  Departure by{bench.binding->mark(NexthopId{3}), {}};
  boost::asio::ip::tcp::socket socket(bench.io);
  const auto refused = begin_connect(socket, {anchor(gw.family), 80, 0}, by);
  CHECK(refused.has_error());
}

TEST_CASE("a probe has the source address that it is given", "[probes][http][netns]") {
  NEEDS_ROOT();
  const Gateways gw = GENERATE(kV4, kV6);
  const Lan lan;
  lan.router.sh("ip addr add 10.9.0.77/24 dev wan; ip addr add fd09::77/64 dev wan nodad");
  const IpAddress from = address(gw.family == Family::v4 ? "10.9.0.77" : "fd09::77");
  HttpBench bench(lan);
  boost::asio::ip::tcp::socket socket(bench.io);
  REQUIRE(bench.binding->bind(lan.nexthop(1, gw.a), gw.family).has_value());
  const Departure by{bench.binding->mark(NexthopId{1}), from};
  REQUIRE(begin_connect(socket, {anchor(gw.family), 80, 0}, by).has_value());
  CHECK(socket.local_endpoint().address().to_string() == from.text());
  boost::asio::ip::tcp::socket other(bench.io);
  const auto refused =
      begin_connect(other, {anchor(gw.family), 80, 0},
                    {by.mark, address(gw.family == Family::v4 ? "192.0.2.9" : "2001:db8:9::9")});
  REQUIRE(refused.has_error());
  INFO(refused.error().message);
  CHECK(refused.error().message.find("address of this host") != std::string::npos);
}

TEST_CASE("what is out when the way to the gateway changes is void", "[probes][http][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  bury_anchors(lan.a);
  HttpBench bench(lan);
  const EthernetAddress one{2, 0, 0, 0, 0, 1};
  const EthernetAddress two{2, 0, 0, 0, 0, 2};
  bench.probe(lan.nexthop(1, kV4.a), {web(Family::v4)});
  bench.prober->set_ready(NexthopId{1}, {true, one});
  REQUIRE(bench.wait_for([&] { return bench.status(1).sent == 1; }));
  bench.prober->set_ready(NexthopId{1}, {true, two});
  CHECK(bench.status(1).voids[static_cast<std::size_t>(Void::neighbour)] == 1);
  REQUIRE(bench.wait_for([&] { return bench.status(1).sent == 2; }));
  bench.prober->set_ready(NexthopId{1}, {});
  CHECK(bench.status(1).voids[static_cast<std::size_t>(Void::neighbour)] == 2);
  CHECK(bench.status(1).state == ProbeState::waiting);
  bench.prober->set_ready(NexthopId{1}, {true, two});
  REQUIRE(bench.wait_for([&] { return bench.status(1).sent == 3; }));
  bench.prober->void_outstanding(Void::rules, "rules were removed");
  CHECK(bench.status(1).voids[static_cast<std::size_t>(Void::rules)] == 1);
  CHECK(bench.trouble(1) == "rules were removed");
  CHECK(bench.samples.empty());
}

TEST_CASE("five hundred anchors at once keep nobody waiting", "[probes][http][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  const Nginx at_a(lan.a);
  bury_anchors(lan.b);
  HttpBench bench(lan);
  std::vector<AnchorSpec> anchors;
  for (std::uint16_t port = 8000; port < 8250; ++port)
    anchors.emplace_back(web(Family::v4, ProbeKind::http, port));
  bench.probe(lan.nexthop(1, kV4.a), anchors);
  bench.probe(lan.nexthop(2, kV4.b), anchors);  // these are dead, and out all the time
  const auto all = [&](std::uint32_t id, auto good) {
    const auto statuses = bench.prober->status();
    return std::all_of(statuses.begin(), statuses.end(),
                       [&](const ProbeStatus& s) { return s.nexthop != NexthopId{id} || good(s); });
  };
  REQUIRE(bench.wait_for([&] {
    return all(1, [](const ProbeStatus& s) { return s.received >= 3; }) &&
           all(2, [](const ProbeStatus& s) { return s.lost >= 1; });
  }));
  CHECK(bench.count(1, Outcome::lost) == 0);
  CHECK(bench.count(2, Outcome::reply) == 0);
}

TEST_CASE("anchors that stay keep their counts, others end", "[probes][http][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  const Nginx at_a(lan.a);
  HttpBench bench(lan);
  const Anchor stays = web(Family::v4);
  bench.probe(lan.nexthop(1, kV4.a), {stays, web(Family::v4, ProbeKind::http, 8000)});
  REQUIRE(bench.wait_for([&] { return bench.count(1, Outcome::reply) >= 6; }));
  bench.prober->set_target({lan.nexthop(1, kV4.a), {stays, Anchor(anchor(Family::v4))}});
  REQUIRE(bench.prober->status().size() == 1);
  CHECK(bench.status(1).anchor == stays);
  CHECK(bench.status(1).received >= 1);
  const auto before = bench.status(1).received;
  CHECK(bench.wait_for([&] { return bench.status(1).received > before; }));
  bench.prober->remove_target(NexthopId{1});
  CHECK(bench.prober->status().empty());
}

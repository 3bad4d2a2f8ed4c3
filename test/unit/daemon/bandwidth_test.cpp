#include "core/daemon/bandwidth.hpp"

#include "test/catch.hpp"

using namespace hopwise;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t kWan = 7;
const Nexthop kA{NexthopId{1}, {kWan, *IpAddress::parse("192.0.2.1")}, "wan", "a"};
const Nexthop kB{NexthopId{2}, {kWan, *IpAddress::parse("192.0.2.2")}, "wan", "b"};

// Paths 1 and 2 of nexthop a, in two groups; path 3 of nexthop b.
struct Router {
  Bandwidths bandwidths;
  BandwidthReading reading{
      TimePoint{100s}, {kA, kB}, {{PathId{1}, kA.id}, {PathId{2}, kA.id}, {PathId{3}, kB.id}}};

  Router() {
    for (std::uint32_t id = 1; id <= 3; ++id) reading.traffic[PathId{id}].forward_bytes = 5000;
    reading.interfaces[kWan] = {50'000, 70'000};
    bandwidths.count(reading);
  }
  void carry(std::uint32_t path, std::uint64_t bytes) {
    reading.traffic[PathId{path}].forward_bytes += bytes;
    reading.interfaces[kWan].sent_bytes += bytes;
  }
  void pass(Duration time) {
    reading.at += time;
    bandwidths.count(reading);
  }
  std::optional<Bandwidth> peak(const Nexthop& nexthop) const {
    for (const Bandwidth& known : bandwidths.of(nexthop, {}, reading.at))
      if (known.method == BandwidthMethod::passive_peak) return known;
    return std::nullopt;
  }
};

}  // namespace

TEST_CASE("a nexthop's peak is the most that its paths carried in a second", "[bandwidth]") {
  Router router;
  CHECK_FALSE(router.peak(kA));
  router.carry(1, 1000);
  router.carry(2, 2000);
  router.carry(3, 500);
  router.pass(1s);
  REQUIRE(router.peak(kA));
  CHECK(router.peak(kA)->bit_s == 24'000);
  CHECK(router.peak(kB)->bit_s == 4'000);
  CHECK(router.peak(kA)->at == TimePoint{101s});
  CHECK_FALSE(router.peak(kA)->exact());
  router.carry(1, 100);
  router.pass(1s);
  CHECK(router.peak(kA)->at == TimePoint{101s});  // a lesser second changes nothing
}

TEST_CASE("a peak halves in ten minutes, and a greater second takes its place", "[bandwidth]") {
  Router router;
  router.carry(1, 10'000);
  router.pass(1s);
  router.pass(600s);
  CHECK(router.peak(kA)->bit_s == 40'000);
  router.carry(1, 6'000);
  router.pass(1s);
  CHECK(router.peak(kA)->bit_s == 48'000);
}

TEST_CASE("no more than the interface sent has been carried", "[bandwidth]") {
  Router router;
  router.reading.traffic[PathId{1}].forward_bytes += 1'000'000;  // into a full queue
  router.reading.interfaces[kWan].sent_bytes += 1'000;
  router.pass(1s);
  CHECK(router.peak(kA)->bit_s == 8'000);
}

TEST_CASE("counters that are new or begin anew carry nothing", "[bandwidth]") {
  Router router;
  router.reading.traffic[PathId{1}].forward_bytes = 4'000;
  router.reading.paths.push_back({PathId{4}, kA.id});
  router.reading.traffic[PathId{4}].forward_bytes = 1'000'000;
  router.reading.interfaces[kWan].sent_bytes += 2'000'000;
  router.pass(1s);
  CHECK_FALSE(router.peak(kA));
  router.reading.interfaces[kWan].sent_bytes = 0;
  router.pass(1s);
  CHECK(router.bandwidths.load(kA, {})->forward_bit_s == 0);
}

TEST_CASE("a reading that comes too soon makes no window of its own", "[bandwidth]") {
  Router router;
  router.carry(1, 1000);
  router.pass(10ms);
  CHECK_FALSE(router.peak(kA));
  router.pass(990ms);
  CHECK(router.peak(kA)->bit_s == 8'000);
}

TEST_CASE("a nexthop that is gone takes its peak along", "[bandwidth]") {
  Router router;
  router.carry(1, 1000);
  router.pass(1s);
  router.reading.nexthops = {kB};
  router.pass(1s);
  CHECK_FALSE(router.peak(kA));
}

TEST_CASE("every figure says how it is known, exact ones first", "[bandwidth]") {
  Router router;
  router.bandwidths.set_link_speeds({{kWan, 1'000'000'000}});
  router.carry(1, 1000);
  router.pass(1s);
  const auto known = router.bandwidths.of(kA, 500'000'000, router.reading.at);
  REQUIRE(known.size() == 3);
  CHECK(known[0].method == BandwidthMethod::configured);
  CHECK(known[0].bit_s == 500'000'000);
  CHECK(known[1].method == BandwidthMethod::link);
  CHECK(known[1].bit_s == 1'000'000'000);
  CHECK(known[2].method == BandwidthMethod::passive_peak);
  CHECK(known[0].exact());
  CHECK(known[1].exact());
  CHECK_FALSE(known[0].at);
}

TEST_CASE("the load is of the interface, against the line where it is shared", "[bandwidth]") {
  Router router;
  CHECK_FALSE(router.bandwidths.load(kA, {}));
  router.bandwidths.set_link_speeds({{kWan, 80'000}});
  router.carry(1, 2'000);
  router.carry(3, 500);
  router.reading.interfaces[kWan].received_bytes += 100;
  router.pass(1s);
  const auto load = router.bandwidths.load(kA, 40'000);
  REQUIRE(load);
  CHECK(load->forward_bit_s == 20'000);
  CHECK(load->reverse_bit_s == 800);
  CHECK(load->utilisation == 0.25);
  router.reading.nexthops = {kA};
  router.carry(1, 2'500);
  router.pass(1s);
  CHECK(router.bandwidths.load(kA, 40'000)->utilisation == 0.5);
  router.bandwidths.set_link_speeds({});
  CHECK_FALSE(router.bandwidths.load(kA, {})->utilisation);
}

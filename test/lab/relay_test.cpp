// The relay against real traffic: what is set is what ping and iperf3 measure.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>

#include "test/catch.hpp"
#include "test/lab/link.hpp"
#include "test/lab/process.hpp"

using namespace hopwise;
using namespace hopwise::lab;
using namespace std::chrono_literals;

namespace {

// a (10.98.0.1) == link == b (10.98.0.2)
struct Wire {
  Namespace a = Namespace::create("relay-a").value();
  Namespace b = Namespace::create("relay-b").value();
  std::unique_ptr<Relay> relay = Relay::open().value();
  LinkId link = relay->connect({a, "wire"}, {b, "wire"}).value();

  Wire() {
    a.ip("addr add 10.98.0.1/30 dev wire\n"
         "neigh replace 10.98.0.2 lladdr 02:68:77:00:00:0b dev wire")
        .value();
    b.ip("addr add 10.98.0.2/30 dev wire\n"
         "neigh replace 10.98.0.1 lladdr 02:68:77:00:00:0a dev wire")
        .value();
  }

  // Round-trip times in milliseconds; NaN for the lost.
  std::vector<double> ping(int count, const char* interval_ms, const char* bytes = "56") {
    // fping exits with 1 when replies are missing: that is for the test to judge.
    std::istringstream words(
        a.run({"sh", "-c",
               "fping -q -C " + std::to_string(count) + " -B1 -r0 -t 500 -i1 -p " + interval_ms +
                   " -b " + bytes + " 10.98.0.2 2>&1 || true"})
            .value());
    std::vector<double> times;
    std::string word;
    words >> word >> word;  // "10.98.0.2 :"
    while (words >> word) times.push_back(word == "-" ? NAN : std::stod(word));
    return times;
  }

  Process serve() {
    Process server =
        Process::start(b, {"iperf3", "-s", "-p", "5201"}, "/tmp/" + a.name() + ".log").value();
    std::remove(server.log_path().c_str());
    REQUIRE(eventually(5s, [&] {
      return b.run({"ss", "-Hltn", "sport = :5201"}).value().find("5201") != std::string::npos;
    }));
    return server;
  }

  nlohmann::json iperf(const std::vector<std::string>& more) {
    std::vector<std::string> argv{"iperf3", "-c", "10.98.0.2", "-p", "5201", "-J"};
    argv.insert(argv.end(), more.begin(), more.end());
    return nlohmann::json::parse(a.run(argv).value());
  }
};

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

}  // namespace

TEST_CASE("a round trip takes twice the one-way delay") {
  Wire wire;
  for (const auto delay : {0ms, 10ms, 60ms}) {
    wire.relay->set(wire.link, {.delay = delay});
    auto times = wire.ping(50, "20");
    REQUIRE(times.size() == 50);
    // The best of them: the others have also waited for a processor.
    const double over = *std::min_element(times.begin(), times.end()) - 2 * milliseconds(delay);
    std::printf("delay %g ms: round trip %.3f ms over, median %.3f\n", milliseconds(delay), over,
                median(times) - 2 * milliseconds(delay));
    CHECK(over > -0.2);  // fping writes three digits
    CHECK(over < 2);
  }
}

TEST_CASE("jitter spreads delays without reordering") {
  Wire wire;
  wire.relay->set(wire.link, {.delay = 20ms, .jitter = 5ms});
  auto times = wire.ping(200, "20");
  const auto [low, high] = std::minmax_element(times.begin(), times.end());
  std::printf("delay 20+-5 ms: round trips %.2f..%.2f median %.2f ms\n", *low, *high,
              median(times));
  CHECK(*low > 30);
  CHECK(*low < 37);
  CHECK(*high > 43);
  CHECK(median(times) == Approx(40).margin(2));
}

TEST_CASE("loss is by chance, as often as set, and counted") {
  Wire wire;
  wire.relay->set(wire.link, Direction::forward, {.loss = 0.2});
  auto times = wire.ping(2000, "1");
  const auto lost = std::count_if(times.begin(), times.end(), [](double t) { return t != t; });
  const auto counters = wire.relay->counters(wire.link);
  std::printf("loss 0.2: %ld of 2000 lost\n", static_cast<long>(lost));
  CHECK(static_cast<double>(lost) / 2000 == Approx(0.2).margin(0.04));  // 4.5 sigma
  CHECK(counters.forward.lost >= static_cast<std::uint64_t>(lost));
  CHECK(counters.backward.lost == 0);
  CHECK(counters.forward.by_service.at({1, 0}).packets == 2000 - static_cast<std::size_t>(lost));
}

TEST_CASE("a line of loss 1 is a black hole until it is restored") {
  Wire wire;
  wire.relay->set(wire.link, {.loss = 1});
  auto times = wire.ping(20, "5");
  CHECK(std::all_of(times.begin(), times.end(), [](double t) { return t != t; }));
  wire.relay->set(wire.link, {});
  times = wire.ping(20, "5");
  CHECK(std::none_of(times.begin(), times.end(), [](double t) { return t != t; }));
}

TEST_CASE("TCP fills the rate and no more, and the queue bounds the delay") {
  Wire wire;
  auto server = wire.serve();
  wire.relay->set(wire.link, {.delay = 10ms, .rate_bit_s = 50'000'000, .queue = 40ms});
  auto client = Process::start(wire.a, {"iperf3", "-c", "10.98.0.2", "-p", "5201", "-t", "6"},
                               server.log_path())
                    .value();
  std::remove(server.log_path().c_str());
  REQUIRE(eventually(
      5s, [&] { return wire.relay->counters(wire.link).forward.delivered.bytes > 5'000'000; }));
  const auto before = wire.relay->counters(wire.link).forward;
  const auto start = std::chrono::steady_clock::now();
  const auto times = wire.ping(60, "50");
  const auto after = wire.relay->counters(wire.link).forward;
  const double took = seconds(std::chrono::steady_clock::now() - start);
  const double rate =
      static_cast<double>(after.delivered.bytes - before.delivered.bytes) * 8 / took;
  std::vector<double> replies;
  std::copy_if(times.begin(), times.end(), std::back_inserter(replies),
               [](double t) { return t == t; });
  REQUIRE(replies.size() > 10);
  const double under_load = median(replies);
  std::printf("rate 50 Mbit/s: %.2f Mbit/s of frames; median ping %.1f ms; %lu dropped\n",
              rate / 1e6, under_load, static_cast<unsigned long>(after.dropped));
  CHECK(rate == Approx(50e6).epsilon(0.1));
  CHECK(*std::max_element(replies.begin(), replies.end()) > 25);
  CHECK(under_load < 20 + 40 + 5);
  CHECK(after.dropped > 0);
  CHECK(after.by_service.at({6, 5201}).bytes > after.delivered.bytes * 9 / 10);
}

TEST_CASE("200 Mbit/s of TCP cost the relay less than half a processor") {
  Wire wire;
  auto server = wire.serve();
  wire.relay->set(wire.link, {.delay = 10ms, .rate_bit_s = 200'000'000, .queue = 50ms});
  const auto cpu = wire.relay->cpu_time();
  const auto start = std::chrono::steady_clock::now();
  const auto report = wire.iperf({"-t", "5", "-P", "8"});
  const double took = seconds(std::chrono::steady_clock::now() - start);
  const double share = seconds(wire.relay->cpu_time() - cpu) / took;
  const double goodput = report["end"]["sum_received"]["bits_per_second"].get<double>();
  std::printf("200 Mbit/s: goodput %.1f Mbit/s, relay %.0f %% of a processor\n", goodput / 1e6,
              share * 100);
  CHECK(goodput > 170e6);
  CHECK(share < 0.5);
}

// Trains over a link of known rate, to our own reflector:
//
//   asking: 10.97.0.1 == rate-limited line (test/lab/link.hpp) == answering: 10.97.0.2
#include "probes/bandwidth/train_sender.hpp"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <cstdlib>

#include "probes/reflect/reflector.hpp"
#include "test/catch.hpp"
#include "test/lab/link.hpp"
#include "test/unit/probes/bench.hpp"

using namespace hopwise;
using namespace hopwise::probes;
using namespace std::chrono_literals;

namespace {

// Moves this thread into a namespace of the lab until it ends.
class Inside {
 public:
  explicit Inside(const lab::Namespace& where)
      : outer_(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
    const int inner = open(where.path().c_str(), O_RDONLY | O_CLOEXEC);
    REQUIRE(setns(inner, CLONE_NEWNET) == 0);
    close(inner);
  }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  ~Inside() {
    if (setns(outer_, CLONE_NEWNET) != 0) std::abort();
    close(outer_);
  }

 private:
  int outer_;
};

struct Line {
  lab::Namespace asking = lab::Namespace::create("train-a").value();
  lab::Namespace answering = lab::Namespace::create("train-b").value();
  std::unique_ptr<lab::Relay> relay = lab::Relay::open().value();
  lab::LinkId link = relay->connect({asking, "wire"}, {answering, "wire"}).value();

  Line() {
    asking
        .ip("addr add 10.97.0.1/30 dev wire\n"
            "neigh replace 10.97.0.2 lladdr 02:68:77:00:00:0b dev wire")
        .value();
    answering
        .ip("addr add 10.97.0.2/30 dev wire\n"
            "neigh replace 10.97.0.1 lladdr 02:68:77:00:00:0a dev wire")
        .value();
  }
};

}  // namespace

TEST_CASE("trains show the rate of a line, through a reflector", "[bandwidth][train][netns]") {
  NEEDS_ROOT();
  const std::uint64_t rate = GENERATE(std::uint64_t{20'000'000}, std::uint64_t{100'000'000});
  const std::string key = GENERATE(std::string(), std::string("a key of the train"));
  CAPTURE(rate, key);
  Line line;
  line.relay->set(line.link, lab::Direction::forward, {.rate_bit_s = rate});
  boost::asio::io_context io{1};
  std::unique_ptr<Reflector> reflector;
  {
    const Inside inside(line.answering);
    ReflectorOptions options;
    options.key = key;
    auto opened = Reflector::open(io, options);
    INFO((opened ? "" : opened.error().message));
    REQUIRE(opened.has_value());
    reflector = std::move(*opened);
  }
  const Inside inside(line.asking);
  TrainEstimate estimate;
  for (int i = 0; i < 7; ++i) {
    std::optional<Train> train;
    auto sender =
        TrainSender::send(io, {.to = {address("10.97.0.2"), 862, 0}, .by = {}, .key = key},
                          [&](const Train& told) { train = told; });
    INFO((sender ? "" : sender.error().message));
    REQUIRE(sender.has_value());
    for (int turns = 0; !train && turns < 2000; ++turns) io.run_one_for(10ms);
    REQUIRE(train);
    CHECK(train->packets == 32);
    estimate.observe(dispersion_of(*train), TimePoint{});
  }
  const auto told = estimate.bandwidth();
  REQUIRE(told);
  // The line's rate counts Ethernet's header, ours does not.
  CHECK(static_cast<double>(told->bit_s) ==
        Approx(static_cast<double>(rate) * 1400 / 1414).epsilon(0.15));
}

TEST_CASE("a train that nobody answers is lost, and a nexthop that is not there sends none",
          "[bandwidth][train][netns]") {
  NEEDS_ROOT();
  Line line;
  const Inside inside(line.asking);
  boost::asio::io_context io{1};
  std::optional<Train> train;
  auto sender = TrainSender::send(
      io, {.to = {address("10.97.0.2"), 862, 0}, .by = {}, .key = {}, .patience = 100ms},
      [&](const Train& told) { train = told; });
  REQUIRE(sender.has_value());
  io.run();
  REQUIRE(train);
  CHECK(dispersion_of(*train).fault == TrainFault::lost);
  const auto none = TrainSender::send(
      io, {.to = {address("192.0.2.1"), 862, 0}, .by = {}, .key = {}}, [](const Train&) {});
  CHECK(none.has_error());
}

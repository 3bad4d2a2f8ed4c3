// A dump that is taken into the table in use, while events go on: against a model of the kernel
// that makes ready one read of a dump ahead, as the real one does.
#include <linux/rtnetlink.h>

#include <deque>
#include <map>
#include <random>

#include "core/routes/fib.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::routes;

namespace {

using Told = std::map<Prefix, std::vector<WeightedNexthop>>;

// The links 1 to 3, the objects 1 to 3 (a gateway on each) and 10, a group of some; IPv4 routes of
// two metrics. Each change is an event.
class ModelKernel {
 public:
  using Place = std::pair<Prefix, std::uint32_t>;  // and metric

  explicit ModelKernel(unsigned seed) : random_(seed) {
    for (std::uint32_t n = 1; n <= 3; ++n) {
      links_[n] = {.enabled = true, .interface = {n, "eth" + std::to_string(n), true, true}};
      objects_[n].id = n;
      objects_[n].leg = leg(n);
    }
    objects_[10].id = 10;
    objects_[10].members = {{1, 1}, {2, 1}};
  }

  std::uint32_t any(std::uint32_t below) {
    return std::uniform_int_distribution<std::uint32_t>(0, below - 1)(random_);
  }

  void change() {
    switch (any(12)) {
      case 0: {
        LinkMessage& link = links_[1 + any(3)];
        link.interface.up = !link.interface.up;
        events.emplace_back(link);
        break;
      }
      case 1: {
        NexthopMessage& group = objects_[10];
        group.members = {{1 + any(3), 1 + any(2)}, {1 + any(3), 1}};
        events.emplace_back(group);
        break;
      }
      default:
        change_route();
    }
  }

  [[nodiscard]] std::vector<Message> of(Fib::Kind kind) const {
    std::vector<Message> all;
    if (kind == Fib::Kind::links)
      for (const auto& [index, link] : links_) all.emplace_back(link);
    if (kind == Fib::Kind::objects)
      for (const auto& [id, object] : objects_) all.emplace_back(object);
    return all;
  }
  // At most `count` routes that come after `from`, which moves on.
  std::vector<Message> routes_after(std::optional<Place>& from, std::size_t count) const {
    std::vector<Message> some;
    auto at = from ? routes_.upper_bound(*from) : routes_.begin();
    for (; at != routes_.end() && some.size() < count; from = (at++)->first)
      some.emplace_back(at->second);
    return some;
  }

  std::deque<Message> events;

 private:
  static Leg leg(std::uint32_t link, std::uint32_t weight = 1) {
    return {link, IpAddress::parse("10.0." + std::to_string(link) + ".2"), weight, false};
  }
  void change_route() {
    RouteMessage route;
    route.table = RT_TABLE_MAIN;
    route.prefix = *Prefix::parse("10.9." + std::to_string(any(40)) + ".0/24");
    route.metric = 10 + any(2);
    const Place place{route.prefix, route.metric};
    if (const auto known = routes_.find(place); known != routes_.end() && any(2) == 0) {
      route = known->second;
      routes_.erase(known);
      route.gone = true;
    } else {
      if (any(3) == 0)
        route.hops.nexthop_object = 10;
      else
        route.hops.legs = {leg(1 + any(3), 1 + any(3)), leg(1 + any(3))};
      routes_[place] = route;
      route.place = RouteMessage::Place::instead;
    }
    events.emplace_back(route);
  }

  std::mt19937 random_;
  std::map<std::uint32_t, LinkMessage> links_;
  std::map<std::uint32_t, NexthopMessage> objects_;
  std::map<Place, RouteMessage> routes_;
};

// Follows the model, one small step at a time.
class Following {
 public:
  explicit Following(ModelKernel& kernel) : kernel_(kernel) {}

  void read_events(std::size_t count) {
    for (; count > 0 && !kernel_.events.empty(); --count) {
      if (fib.apply(kernel_.events.front()) == Fib::Meaning::ambiguous) must_dump = true;
      kernel_.events.pop_front();
    }
    fib.tell_touched(tell());
  }
  void lose_events() {
    if (kernel_.events.empty()) return;
    kernel_.events.clear();
    must_dump = true;
  }
  void begin_dump() {
    must_dump = false;
    dumping = true;
    after_ = std::nullopt;
    fib.begin_dump();
    for (const auto kind : {Fib::Kind::links, Fib::Kind::neighbours, Fib::Kind::objects}) {
      for (const Message& message : kernel_.of(kind)) fib.dumped(message);
      fib.end_of(kind);
      fib.end_of_read();
    }
    ready_ = kernel_.routes_after(after_, 3);
  }
  void read_dump() {
    if (!dumping) return;
    const auto read = std::exchange(ready_, kernel_.routes_after(after_, 1 + kernel_.any(5)));
    for (const Message& message : read) fib.dumped(message);
    dumping = !read.empty();
    if (!dumping) fib.end_of(Fib::Kind::routes);
    fib.end_of_read();
    if (!dumping) fib.end_dump();
    fib.tell_touched(tell());
  }
  void walk() {
    for (int shards = 0; shards < 300 && fib.walking() && !dumping; ++shards) fib.walk(tell());
  }
  void finish() {
    do {
      read_events(1000);
      while (dumping) read_dump();
      while (fib.walking()) fib.walk(tell());
      if (must_dump) begin_dump();
    } while (dumping || fib.walking());
  }

  Fib fib{RT_TABLE_MAIN};
  Told told;
  bool must_dump = true;
  bool dumping = false;

 private:
  Fib::Tell tell() {
    return [this](const Prefix& prefix, const NexthopSet& set) {
      // Differences only.
      const auto before = told.find(prefix);
      CHECK((set ? before == told.end() || before->second != *set : before != told.end()));
      if (set)
        told[prefix] = *set;
      else
        told.erase(prefix);
    };
  }

  ModelKernel& kernel_;
  std::optional<ModelKernel::Place> after_;
  std::vector<Message> ready_;
};

}  // namespace

TEST_CASE("any history with dumps at any moment ends where a fresh dump begins",
          "[routes][property]") {
  const auto seed = GENERATE(range(1U, 41U));
  CAPTURE(seed);
  ModelKernel kernel(seed);
  Following following(kernel);
  for (int step = 0; step < 3000; ++step) {
    switch (kernel.any(8)) {
      case 0:
        if (kernel.any(40) == 0) following.lose_events();
        break;
      case 1:
        if (!following.dumping && (following.must_dump || kernel.any(20) == 0))
          following.begin_dump();
        break;
      case 2:
      case 3:
        following.read_dump();
        break;
      case 4:
        following.walk();
        break;
      case 5:
        following.read_events(kernel.any(6));
        break;
      default:
        kernel.change();
    }
    if (step % 500 != 499) continue;
    following.finish();
    Following fresh(kernel);
    fresh.finish();
    REQUIRE(following.told == fresh.told);
  }
}

TEST_CASE("what a dump does not name is gone, what events say meanwhile is not", "[routes]") {
  Fib fib(RT_TABLE_MAIN);
  Told told;
  const Fib::Tell tell = [&](const Prefix& prefix, const NexthopSet& set) {
    if (set)
      told[prefix] = *set;
    else
      told.erase(prefix);
  };
  const auto route = [](const char* prefix) {
    RouteMessage message;
    message.table = RT_TABLE_MAIN;
    message.prefix = *Prefix::parse(prefix);
    return message;
  };
  fib.apply(route("10.0.0.0/8"));
  fib.apply(route("10.1.0.0/16"));
  fib.begin_dump();
  fib.dumped(route("10.0.0.0/8"));
  fib.end_of_read();
  fib.apply(route("10.2.0.0/16"));
  fib.end_of(Fib::Kind::routes);
  fib.end_of_read();
  fib.end_dump();
  while (fib.walking()) fib.walk(tell);
  CHECK(told.contains(*Prefix::parse("10.0.0.0/8")));
  CHECK_FALSE(told.contains(*Prefix::parse("10.1.0.0/16")));
  CHECK(told.contains(*Prefix::parse("10.2.0.0/16")));
  CHECK(fib.size() == 2);
}

TEST_CASE("an IPv6 route that two dumps passed over is gone, by one only where none went meanwhile",
          "[routes]") {
  Fib fib(RT_TABLE_MAIN);
  const auto route = [](const char* prefix) {
    RouteMessage message;
    message.table = RT_TABLE_MAIN;
    message.prefix = *Prefix::parse(prefix);
    return message;
  };
  const auto dump = [&](const char* removed) {
    fib.begin_dump();
    fib.dumped(route("2001:db8::/32"));
    if (removed != nullptr) {
      RouteMessage gone = route(removed);
      fib.apply(gone);
      gone.gone = true;
      fib.apply(gone);
    }
    fib.end_of(Fib::Kind::routes);
    fib.end_of_read();
    fib.end_dump();
    while (fib.walking()) fib.walk([](const Prefix&, const NexthopSet&) {});
  };
  const auto unnamed = *Prefix::parse("2001:db8:1::/48");
  fib.apply(route("2001:db8:1::/48"));
  dump("10.0.0.0/8");
  CHECK_FALSE(fib.disturbed());
  CHECK(fib.told(unnamed) == nullptr);

  fib.apply(route("2001:db8:1::/48"));
  dump("2001:db8:2::/48");
  CHECK(fib.disturbed());
  CHECK(fib.told(unnamed) != nullptr);
  dump("2001:db8:2::/48");
  CHECK(fib.told(unnamed) == nullptr);
}

TEST_CASE("what was read of a dump that failed counts, and nothing else is gone", "[routes]") {
  Fib fib(RT_TABLE_MAIN);
  RouteMessage route;
  route.table = RT_TABLE_MAIN;
  route.prefix = *Prefix::parse("10.0.0.0/8");
  fib.apply(route);
  fib.begin_dump();
  fib.abandon_dump();
  fib.tell_touched([](const Prefix&, const NexthopSet&) {});
  CHECK_FALSE(fib.walking());
  CHECK(fib.told(route.prefix) != nullptr);
}

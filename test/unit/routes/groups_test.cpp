#include "core/routes/groups.hpp"

#include <random>
#include <set>

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::routes;
using namespace std::chrono_literals;

namespace {

constexpr Limits kLimits{.nexthops = 8, .groups = 4, .paths = 10, .group_paths = 4, .buckets = 64};
constexpr TimePoint kStart{1h};

// The nexthop number n, in a fixed world: 10.0.0.n on interface n.
WeightedNexthop hop(std::uint8_t n, std::uint32_t weight = 1) {
  const std::uint8_t bytes[4] = {10, 0, 0, n};
  return {{n, IpAddress::from_bytes(Family::v4, bytes)}, weight};
}

}  // namespace

TEST_CASE("the same set in any order is the same group", "[routes]") {
  Groups groups(kLimits);
  const auto first = groups.acquire({hop(1), hop(2)}).value();
  CHECK(first.new_group);
  CHECK(first.new_nexthops.size() == 2);
  REQUIRE(first.group.paths.size() == 2);
  CHECK(groups.nexthop(first.group.paths[0].nexthop) == hop(1).key);

  const auto again = groups.acquire({hop(2), hop(1)}).value();
  CHECK(again.group == first.group);
  CHECK_FALSE(again.new_group);
  CHECK(again.new_nexthops.empty());
  CHECK(groups.users(first.group.id) == 2);
}

TEST_CASE("a set that differs only in weights is another group of the same nexthops", "[routes]") {
  Groups groups(kLimits);
  const auto even = groups.acquire({hop(1), hop(2)}).value();
  const auto odd = groups.acquire({hop(1), hop(2, 3)}).value();
  CHECK(odd.group.id != even.group.id);
  CHECK(odd.new_nexthops.empty());
  CHECK(odd.group.paths[1].nexthop == even.group.paths[1].nexthop);
  CHECK(odd.group.paths[1].id != even.group.paths[1].id);
  CHECK(odd.group.paths[1].kernel_weight == 3);
}

TEST_CASE("a gateway listed twice is one path with both weights", "[routes]") {
  Groups groups(kLimits);
  const auto acquired = groups.acquire({hop(1, 2), hop(2), hop(1, 3)}).value();
  REQUIRE(acquired.group.paths.size() == 2);
  CHECK(acquired.group.paths[0].kernel_weight == 5);
}

TEST_CASE("an unused group keeps its ids for the grace period, and no longer", "[routes]") {
  Groups groups(kLimits, 60s);
  const auto first = groups.acquire({hop(1), hop(2)}).value();
  groups.release(first.group.id, kStart);
  CHECK(groups.expire(kStart + 59s).groups.empty());
  const auto back = groups.acquire({hop(1), hop(2)}).value();
  CHECK(back.group == first.group);
  CHECK_FALSE(back.new_group);

  groups.release(first.group.id, kStart + 100s);
  const auto expired = groups.expire(kStart + 160s);
  CHECK(expired.groups == std::vector{first.group.id});
  CHECK(expired.nexthops.size() == 2);
  CHECK(groups.find(first.group.id) == nullptr);
  CHECK_FALSE(groups.nexthop(first.group.paths[0].nexthop));
  CHECK(groups.acquire({hop(1), hop(2)}).value().new_group);
}

TEST_CASE("a nexthop outlives one of its groups while another needs it", "[routes]") {
  Groups groups(kLimits, 60s);
  const auto a = groups.acquire({hop(1), hop(2)}).value();
  const auto b = groups.acquire({hop(2), hop(3)}).value();
  groups.release(a.group.id, kStart);
  const auto expired = groups.expire(kStart + 60s);
  CHECK(expired.nexthops == std::vector{a.group.paths[0].nexthop});
  CHECK(groups.nexthop(b.group.paths[0].nexthop) == hop(2).key);
}

TEST_CASE("a set that does not fit is refused with its reason and changes nothing", "[routes]") {
  Groups groups(kLimits, 60s);
  CHECK(groups.acquire({}).error().message == "add a group: it has no nexthops");
  CHECK(groups.acquire({hop(1), hop(2), hop(3), hop(4), hop(5)}).error().message ==
        "add a group: 5 nexthops, at most 4 fit (the route stays with the kernel)");

  const auto first = groups.acquire({hop(1), hop(2), hop(3), hop(4)}).value();
  (void)groups.acquire({hop(5), hop(6), hop(7), hop(8)}).value();
  CHECK(groups.acquire({hop(1), hop(9)}).error().message ==
        "add a group: all 8 nexthop ids are in use or in their grace period (the route stays with "
        "the kernel)");
  CHECK(groups.acquire({hop(1), hop(2), hop(3)}).error().message.find("all 10 path ids") !=
        std::string::npos);
  // Two path ids are left: nothing was lost by the refusals.
  CHECK(groups.acquire({hop(1), hop(8)}).value().group.paths.size() == 2);
  groups.release(first.group.id, kStart);
  groups.expire(kStart + 60s);
  CHECK(groups.acquire({hop(9), hop(10), hop(11)}).has_value());
}

TEST_CASE("the last group id is given out and the next is refused", "[routes]") {
  Groups groups(kLimits);
  for (std::uint8_t n = 1; n <= 4; ++n) CHECK(groups.acquire({hop(n), hop(5)}).has_value());
  CHECK(groups.acquire({hop(6)}).error().message.find("all 4 group ids") != std::string::npos);
}

TEST_CASE("an adopted group takes its old ids again", "[routes]") {
  Groups before(kLimits);
  (void)before.acquire({hop(7), hop(8)}).value();
  const auto old = before.acquire({hop(1), hop(2, 3)}).value();

  Groups after(kLimits, 60s);
  after.adopt(old.new_nexthops, {old.group}, kStart);
  CHECK(after.users(old.group.id) == 0);
  const auto other = after.acquire({hop(3), hop(4)}).value();
  const auto again = after.acquire({hop(2, 3), hop(1)}).value();
  CHECK(again.group == old.group);
  CHECK(again.new_group);
  CHECK(again.new_nexthops == old.new_nexthops);
  CHECK(other.group.id != old.group.id);
  CHECK(after.expire(kStart + 61s).groups.empty());
}

TEST_CASE("what was adopted and never came back is freed after the grace period", "[routes]") {
  Groups before(kLimits);
  const auto old = before.acquire({hop(1), hop(2)}).value();
  Groups after(kLimits, 60s);
  auto nexthops = old.new_nexthops;
  nexthops.emplace_back(NexthopId{7}, hop(9).key);
  after.adopt(nexthops, {old.group}, kStart);
  CHECK(after.expire(kStart + 59s).nexthops.empty());
  const auto expired = after.expire(kStart + 60s);
  CHECK(expired.groups == std::vector{old.group.id});
  CHECK(expired.nexthops.size() == 3);
}

namespace {

constexpr Limits kMore{.nexthops = 6, .groups = 8, .paths = 20, .group_paths = 4, .buckets = 64};

Path path(std::uint32_t id, std::uint32_t nexthop, std::uint32_t weight = 1) {
  return {PathId{id}, NexthopId{nexthop}, weight};
}

// Three nexthops and a group of the first two, then this one. True when it can be acquired again.
bool comes_back(const Group& group) {
  Groups groups(kMore);
  groups.adopt({{NexthopId{1}, hop(1).key}, {NexthopId{2}, hop(2).key}, {NexthopId{3}, hop(3).key}},
               {{GroupId{1}, {path(1, 1), path(2, 2)}}, group}, kStart);
  std::vector<WeightedNexthop> set;
  for (const Path& p : group.paths)
    set.push_back(hop(static_cast<std::uint8_t>(raw(p.nexthop)), p.kernel_weight));
  const auto acquired = groups.acquire(set);
  return acquired && acquired->group == group;
}

}  // namespace

TEST_CASE("only a group that fits all that is known is adopted", "[routes]") {
  const auto group = [](std::uint32_t id, std::vector<Path> paths) {
    return Group{GroupId{id}, std::move(paths)};
  };
  CHECK(comes_back(group(2, {path(3, 1), path(4, 2, 2)})));
  CHECK(comes_back(group(8, {path(19, 1, 7), path(20, 3)})));
  CHECK_FALSE(comes_back(group(1, {path(3, 1), path(4, 2, 2)})));     // id taken
  CHECK_FALSE(comes_back(group(9, {path(3, 1), path(4, 3)})));        // beyond the limit
  CHECK_FALSE(comes_back(group(2, {})));                              // empty
  CHECK_FALSE(comes_back(group(2, {path(3, 1), path(4, 2)})));        // the same set
  CHECK_FALSE(comes_back(group(2, {path(2, 1), path(4, 2, 2)})));     // path id taken
  CHECK_FALSE(comes_back(group(2, {path(3, 1), path(3, 2, 2)})));     // path id twice
  CHECK_FALSE(comes_back(group(2, {path(3, 1), path(21, 2, 2)})));    // beyond the limit
  CHECK_FALSE(comes_back(group(2, {path(3, 1), path(4, 4)})));        // unknown nexthop
  CHECK_FALSE(comes_back(group(2, {path(3, 1), path(4, 1)})));        // nexthop twice
  CHECK_FALSE(comes_back(group(2, {path(3, 2), path(4, 1)})));        // out of order
  CHECK(comes_back(group(2, {path(3, 1), path(4, 2, 0)})));           // a candidate
  CHECK_FALSE(comes_back(group(2, {path(3, 1, 0), path(4, 2, 0)})));  // no weights
}

TEST_CASE("a candidate makes another group of a set, and none by itself", "[routes]") {
  Groups groups(kLimits);
  const auto plain = groups.acquire({hop(1)}).value();
  const auto with = groups.acquire({hop(2, 0), hop(1)}).value();
  CHECK(with.group.id != plain.group.id);
  REQUIRE(with.group.paths.size() == 2);
  CHECK(with.group.paths[0].kernel_weight == 1);
  CHECK(with.group.paths[1].kernel_weight == 0);
  CHECK(groups.acquire({hop(1), hop(2)}).value().group.id != with.group.id);
  CHECK(groups.acquire({hop(1), hop(2, 0), hop(2)}).value().group.paths[1].kernel_weight == 1);
  CHECK(groups.acquire({hop(1, 0), hop(2, 0)}).error().message ==
        "add a group: all its nexthops are candidates (the route stays with the kernel)");
}

TEST_CASE("ids that cannot be adopted are nobody's until the first expiry removes them",
          "[routes]") {
  Groups groups(kMore, 60s);
  groups.adopt({{NexthopId{1}, hop(1).key},
                {NexthopId{2}, hop(2).key},
                {NexthopId{2}, hop(3).key},   // id taken
                {NexthopId{3}, hop(1).key},   // key known
                {NexthopId{0}, hop(4).key},   // no id
                {NexthopId{7}, hop(5).key}},  // beyond the limit
               {{GroupId{1}, {path(1, 1), path(2, 2)}},
                {GroupId{2}, {path(3, 1), path(4, 2)}},        // the same set
                {GroupId{3}, {path(5, 1, 0), path(6, 2, 0)}},  // no weights
                {GroupId{4}, {path(2, 2), path(7, 3)}},        // path id taken; unknown nexthop
                {GroupId{5}, {}}},
               kStart);
  CHECK(groups.nexthop(NexthopId{2}) == hop(2).key);
  const auto acquire = [&](std::vector<WeightedNexthop> set) {
    return groups.acquire(std::move(set)).value().group;
  };
  CHECK(acquire({hop(1), hop(2, 10)}) == Group{GroupId{6}, {path(8, 1), path(9, 2, 10)}});
  CHECK(acquire({hop(4), hop(5)}) == Group{GroupId{7}, {path(10, 4), path(11, 5)}});
  CHECK(acquire({hop(1), hop(6)}) == Group{GroupId{8}, {path(12, 1), path(13, 6)}});
  CHECK(groups.acquire({hop(1), hop(2, 99)}).error().message.find("all 8 group ids") !=
        std::string::npos);
  CHECK(groups.used().size() == 3);

  const auto expired = groups.expire(kStart);
  CHECK(expired.groups == std::vector{GroupId{2}, GroupId{3}, GroupId{4}, GroupId{5}});
  CHECK(expired.nexthops == std::vector{NexthopId{3}});
  CHECK(acquire({hop(1), hop(2)}) == Group{GroupId{1}, {path(1, 1), path(2, 2)}});
  CHECK(acquire({hop(1), hop(2, 99)}) == Group{GroupId{2}, {path(14, 1), path(15, 2, 99)}});
  CHECK(acquire({hop(1), hop(7)}) == Group{GroupId{3}, {path(16, 1), path(17, 3)}});
}

TEST_CASE("an id rests as long as there are others", "[routes]") {
  Groups groups(kLimits, 60s);
  const std::uint32_t expected[] = {1, 2, 3, 4, 1, 2};
  TimePoint now = kStart;
  for (std::uint8_t n = 0; n < std::size(expected); ++n) {
    const auto acquired = groups.acquire({hop(n)}).value();
    CHECK(raw(acquired.group.id) == expected[n]);
    CHECK(raw(acquired.group.paths[0].id) == n + 1U);
    CHECK(raw(acquired.group.paths[0].nexthop) == n + 1U);
    groups.release(acquired.group.id, now);
    now += 60s;
    groups.expire(now);
  }
  // After a restart: beyond all that may have been in use of late.
  Groups next(kLimits, 60s);
  next.adopt({{NexthopId{5}, hop(1).key}}, {{GroupId{2}, {path(7, 5)}}}, kStart);
  const auto acquired = next.acquire({hop(2)}).value();
  CHECK(acquired.group == Group{GroupId{3}, {path(8, 6)}});
}

TEST_CASE("releasing what no route uses is a broken invariant", "[routes]") {
  Groups groups(kLimits);
  CHECK_THROWS_AS(groups.release(GroupId{1}, kStart), std::logic_error);
  const auto acquired = groups.acquire({hop(1)}).value();
  groups.release(acquired.group.id, kStart);
  CHECK_THROWS_AS(groups.release(acquired.group.id, kStart), std::logic_error);
}

TEST_CASE("ids stay unique and within limits through any history", "[routes][property]") {
  const auto seed = GENERATE(range(1U, 21U));
  std::mt19937 random(seed);
  Groups groups(kLimits, 10s);
  std::map<GroupId, Group> used;  // groups with users
  std::map<GroupId, std::size_t> users;
  std::map<NexthopId, NexthopKey> nexthops;  // as the data plane would hold them
  TimePoint now = kStart;
  for (int step = 0; step < 2000; ++step) {
    now += std::chrono::seconds(random() % 4);
    if (random() % 2 == 0) {
      std::vector<WeightedNexthop> set;
      for (auto n = random() % 6; n > 0; --n)
        set.push_back(hop(static_cast<std::uint8_t>(1 + random() % 12), 1 + random() % 2));
      if (const auto acquired = groups.acquire(set)) {
        if (!acquired->new_group) CHECK(groups.find(acquired->group.id));
        for (const auto& [id, key] : acquired->new_nexthops) {
          REQUIRE((raw(id) >= 1 && raw(id) <= kLimits.nexthops));
          REQUIRE(nexthops.emplace(id, key).second);
        }
        used[acquired->group.id] = acquired->group;
        ++users[acquired->group.id];
      }
    } else if (!used.empty()) {
      const auto victim = std::next(used.begin(), static_cast<long>(random() % used.size()));
      groups.release(victim->first, now);
      if (--users[victim->first] == 0) used.erase(victim);
    }
    const auto expired = groups.expire(now);
    for (const GroupId id : expired.groups) REQUIRE_FALSE(used.contains(id));
    for (const NexthopId id : expired.nexthops) REQUIRE(nexthops.erase(id) == 1);

    std::set<PathId> paths;
    REQUIRE(used.size() <= kLimits.groups);
    for (const auto& [id, group] : used) {
      REQUIRE((raw(id) >= 1 && raw(id) <= kLimits.groups));
      REQUIRE(*groups.find(id) == group);
      REQUIRE(groups.users(id) == users[id]);
      for (const Path& path : group.paths) {
        REQUIRE((raw(path.id) >= 1 && raw(path.id) <= kLimits.paths));
        REQUIRE(paths.insert(path.id).second);
        REQUIRE(nexthops.contains(path.nexthop));
        REQUIRE(groups.nexthop(path.nexthop) == nexthops[path.nexthop]);
      }
    }
  }
}

TEST_CASE("a variant of a set is a group of its own over the same nexthops", "[routes]") {
  Groups groups(kMore, 60s);
  const auto base = groups.acquire({hop(1), hop(2)}).value();
  const auto voice = groups.acquire(groups.set_of(base.group.id), {.traffic_class = 1}).value();
  const auto prefix = groups
                          .acquire({hop(2), hop(1)}, {.traffic_class = 0,
                                                      .destination = Prefix::parse("192.0.2.0/24")})
                          .value();
  CHECK(base.group.variant == Variant{});
  CHECK(voice.group.variant == Variant{1});
  CHECK(prefix.group.variant.destination->text() == "192.0.2.0/24");
  CHECK(voice.new_group);
  CHECK(voice.new_nexthops.empty());
  CHECK(std::set{base.group.id, voice.group.id, prefix.group.id}.size() == 3);
  CHECK(groups.acquire({hop(1), hop(2)}, {.traffic_class = 1})->group == voice.group);
  CHECK(groups.users(voice.group.id) == 2);
  CHECK(groups.users(base.group.id) == 1);

  for (const GroupId id : {base.group.id, voice.group.id, voice.group.id})
    groups.release(id, kStart);
  const auto expired = groups.expire(kStart + 60s);
  CHECK(expired.groups == std::vector{base.group.id, voice.group.id});
  CHECK(expired.nexthops.empty());  // the prefix' group has them
}

TEST_CASE("a class group is adopted as one, and a group for a prefix is not", "[routes]") {
  Groups groups(kMore, 60s);
  const std::vector<Path> two{path(1, 1), path(2, 2)};
  groups.adopt({{NexthopId{1}, hop(1).key}, {NexthopId{2}, hop(2).key}},
               {{GroupId{1}, two},
                {GroupId{2}, {path(3, 1), path(4, 2)}, {.traffic_class = 1}},
                {GroupId{3}, {path(5, 1), path(6, 2)}, {.destination = Prefix{}}}},
               kStart);
  CHECK(groups.acquire({hop(1), hop(2)})->group.id == GroupId{1});
  CHECK(groups.acquire({hop(1), hop(2)}, {.traffic_class = 1})->group.id == GroupId{2});
  CHECK(groups.acquire({hop(1), hop(2)}, {.destination = Prefix{}})->group ==
        Group{GroupId{4}, {path(7, 1), path(8, 2)}, {.destination = Prefix{}}});
  CHECK(groups.expire(kStart).groups == std::vector{GroupId{3}});
}

TEST_CASE("what is left of a group's traffic counts through its grace period", "[routes]") {
  Groups groups(kLimits, 60s);
  groups.adopt({}, {}, kStart);
  const auto own = groups.acquire({hop(1), hop(2)}, {.traffic_class = 1}).value();
  const auto base = groups.acquire({hop(1), hop(2)}).value();
  CHECK(groups.introduced().size() == 2);
  groups.release(own.group.id, kStart);
  CHECK(groups.used() == std::vector{groups.find(base.group.id)});
  CHECK(groups.introduced().size() == 2);
  groups.expire(kStart + 60s);
  CHECK(groups.introduced() == groups.used());
}

TEST_CASE("what an earlier daemon left and nobody has taken up is not introduced", "[routes]") {
  Groups before(kLimits), groups(kLimits);
  const auto left = before.acquire({hop(1), hop(2)}).value();
  groups.adopt(left.new_nexthops, {left.group}, kStart);
  CHECK(groups.introduced().empty());
  REQUIRE(groups.acquire({hop(2), hop(1)}).value().group == left.group);
  CHECK(groups.introduced().size() == 1);
}

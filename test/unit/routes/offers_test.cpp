// Which paths that BGP told of may carry traffic beside the kernel's, and why the others may not.
#include "core/routes/offers.hpp"

#include <random>
#include <set>

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::routes;
using Verdict = OfferVerdict;

namespace {

const Prefix kPrefix = *Prefix::parse("198.51.100.0/24");

NexthopKey key(std::uint8_t n) {
  const std::uint8_t bytes[4] = {10, 0, n, 1};
  return {n, IpAddress::from_bytes(Family::v4, bytes)};
}

/// A path by the neighbour number n, of AS 65000 + n, two AS long.
struct Told {
  std::uint8_t n = 1;
  std::vector<std::uint32_t> as_path{};
  std::optional<std::uint32_t> local_pref = 100;
  std::vector<std::uint32_t> communities{};
  bool on_link = true;
  bool reflected = false;
};

Offer offer(const Told& told) {
  BgpPath path{.nexthop = key(told.n).gateway};
  path.as_path =
      told.as_path.empty() ? std::vector<std::uint32_t>{65000U + told.n, 64999} : told.as_path;
  path.as_path_length = static_cast<std::uint32_t>(path.as_path.size());
  path.neighbour_as = path.as_path.empty() || path.as_path[0] == 0 ? 0 : path.as_path[0];
  path.local_pref = told.local_pref;
  path.communities = told.communities;
  path.reflected = told.reflected;
  return {std::make_shared<BgpPath>(path),
          told.on_link ? std::optional(key(told.n)) : std::nullopt};
}

OfferRules rules(OfferPolicy policy = {}) {
  policy.from = OfferPolicy::From::bgp;
  return {policy, 64512, 16};
}

/// The kernel uses neighbour 1, BGP tells of it and of this.
Verdict verdict(const Told& told, const OfferRules& by = rules()) {
  const Merged merged = merge(kPrefix, {{key(1), 1}}, {offer({1}), offer(told)}, by);
  REQUIRE(merged.verdicts.size() == 2);
  CHECK((merged.verdicts[0] == Verdict::in_use || merged.verdicts[0] == Verdict::excluded));
  CHECK(merged.candidates == (merged.verdicts[1] == Verdict::taken ? 1 : 0));
  CHECK(merged.set.size() == 1 + merged.candidates);
  return merged.verdicts[1];
}

}  // namespace

TEST_CASE("a path of another neighbour as good for BGP joins the route with weight 0",
          "[candidates]") {
  const Merged merged = merge(kPrefix, {{key(1), 3}}, {offer({2}), offer({1})}, rules());
  CHECK(merged.set == std::vector<WeightedNexthop>{{key(1), 3}, {key(2), 0}});
  CHECK(merged.verdicts == std::vector{Verdict::taken, Verdict::in_use});
}

TEST_CASE("without the operator's word nothing joins", "[candidates]") {
  CHECK(merge(kPrefix, {{key(1), 1}}, {offer({1}), offer({2})}, {}).candidates == 0);
}

TEST_CASE("what could make a loop or a valley is refused, and why is told", "[candidates]") {
  CHECK(verdict({.n = 2, .as_path = {65002, 64900, 64999}}) == Verdict::longer_as_path);
  CHECK(verdict({.n = 2, .as_path = {65002}}) == Verdict::shorter_as_path);
  CHECK(verdict({.n = 2, .as_path = {65002, 64512}}) == Verdict::own_as);
  CHECK(verdict({.n = 2, .as_path = {64512, 64999}}) == Verdict::ibgp);
  CHECK(verdict({.n = 2, .as_path = {0, 64999}}) == Verdict::ibgp);
  CHECK(verdict({.n = 2, .local_pref = 99}) == Verdict::lower_local_pref);
  CHECK(verdict({.n = 2, .local_pref = std::nullopt}) == Verdict::unknown_local_pref);
  CHECK(verdict({.n = 2, .local_pref = std::nullopt}, rules({.local_pref_floor = 100})) ==
        Verdict::taken);
  CHECK(verdict({.n = 2, .local_pref = 50, .on_link = false}) == Verdict::not_on_link);
  CHECK(verdict({.n = 2, .communities = {0xffff0000}}) == Verdict::community);
  CHECK(verdict({.n = 2, .communities = {0xffff029a}}) == Verdict::community);
}

TEST_CASE("what another router of our AS told on is no candidate: it may send it back",
          "[candidates]") {
  CHECK(verdict({.n = 2, .reflected = true}) == Verdict::ibgp);
}

TEST_CASE("a reference that is not told leaves every path out", "[candidates]") {
  const Merged merged =
      merge(kPrefix, {{key(1), 1}}, {offer({.n = 1, .on_link = false}), offer({2})}, rules());
  CHECK(merged.verdicts == std::vector{Verdict::no_reference, Verdict::no_reference});
}

TEST_CASE("of several references the shortest and the most preferred count", "[candidates]") {
  const std::vector<WeightedNexthop> kernel{{key(1), 1}, {key(2), 1}};
  const Offer longer = offer({.n = 2, .as_path = {65002, 64900, 64999}, .local_pref = 200});
  CHECK(merge(kPrefix, kernel, {offer({1}), longer, offer({3})}, rules()).verdicts[2] ==
        Verdict::lower_local_pref);
  const Offer three = offer({.n = 3, .as_path = {65003, 64900, 64999}, .local_pref = 200});
  CHECK(merge(kPrefix, kernel, {offer({1}), longer, three}, rules()).verdicts[2] ==
        Verdict::longer_as_path);
}

TEST_CASE("the operator may allow shorter paths, a lower LOCAL_PREF, and name communities",
          "[candidates]") {
  CHECK(verdict({.n = 2, .as_path = {65002}},
                rules({.as_path = OfferPolicy::AsPath::shorter_or_same})) == Verdict::taken);
  CHECK(verdict({.n = 2, .as_path = {65002, 64900, 64999}},
                rules({.as_path = OfferPolicy::AsPath::shorter_or_same})) ==
        Verdict::longer_as_path);
  CHECK(verdict({.n = 2, .local_pref = 90}, rules({.local_pref_floor = 90})) == Verdict::taken);
  CHECK(verdict({.n = 2, .local_pref = 89}, rules({.local_pref_floor = 90})) ==
        Verdict::lower_local_pref);
  CHECK(verdict({.n = 2}, rules({.any_of = {7, 8}})) == Verdict::community);
  CHECK(verdict({.n = 2, .communities = {8}}, rules({.any_of = {7, 8}})) == Verdict::taken);
  CHECK(verdict({.n = 2, .communities = {8}}, rules({.none_of = {8}})) == Verdict::community);
}

TEST_CASE("prefixes that the operator leaves out, or the kernel keeps, get no candidates",
          "[candidates]") {
  CHECK(verdict({.n = 2}, rules({.only = {*Prefix::parse("203.0.113.0/24")}})) ==
        Verdict::excluded);
  CHECK(verdict({.n = 2}, rules({.only = {*Prefix::parse("198.51.0.0/16")}})) == Verdict::taken);
  CHECK(verdict({.n = 2}, rules({.except = {*Prefix::parse("198.51.0.0/16")}})) ==
        Verdict::excluded);
  const Merged kept = merge(kPrefix, {}, {offer({1}), offer({2})}, rules());
  CHECK(kept.verdicts == std::vector{Verdict::not_steered, Verdict::not_steered});
  CHECK(kept.set.empty());
}

TEST_CASE("the most preferred are taken, in whatever order they are told", "[candidates]") {
  std::vector<Offer> offers;
  for (std::uint8_t n = 1; n <= 9; ++n)
    offers.push_back(offer({.n = n, .local_pref = 100U + n / 2}));
  const OfferRules by = rules({.max_per_prefix = 3});
  const Merged merged = merge(kPrefix, {{key(1), 1}}, offers, by);
  CHECK(merged.set ==
        std::vector<WeightedNexthop>{{key(1), 1}, {key(6), 0}, {key(8), 0}, {key(9), 0}});
  CHECK(merged.verdicts[1] == Verdict::too_many);
  std::mt19937 random(1);
  for (int i = 0; i < 20; ++i) {
    std::shuffle(offers.begin(), offers.end(), random);
    CHECK(merge(kPrefix, {{key(1), 1}}, offers, by).set == merged.set);
  }
}

TEST_CASE("two paths by one neighbour are one candidate", "[candidates]") {
  const Merged merged =
      merge(kPrefix, {{key(1), 1}}, {offer({1}), offer({2}), offer({2})}, rules());
  CHECK(merged.candidates == 1);
  CHECK(merged.set.size() == 2);
}

TEST_CASE("a group that is full takes no candidates", "[candidates]") {
  OfferRules by = rules();
  by.group_paths = 2;
  CHECK(verdict({2}, by) == Verdict::taken);
  by.group_paths = 1;
  CHECK(verdict({2}, by) == Verdict::too_many);
}

TEST_CASE("each verdict has a name of its own", "[candidates]") {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kOfferVerdicts; ++i) names.insert(text(static_cast<Verdict>(i)));
  CHECK(names.size() == kOfferVerdicts);
  CHECK_FALSE(names.contains("unknown"));
}

// Random ASes with business of no kind: whoever steers does so by the rules, at random among what
// they allow. Whatever the choices, no packet comes back to where it was.
TEST_CASE("ASes that steer by these rules make no loop", "[candidates]") {
  std::mt19937 random(7);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  for (int world = 0; world < 300; ++world) {
    const std::size_t size = 3 + below(10);
    std::vector<std::vector<bool>> link(size, std::vector<bool>(size));
    for (std::size_t a = 0; a < size; ++a)
      for (std::size_t b = 0; b < a; ++b) link[a][b] = link[b][a] = below(100) < 45;
    // AS 0 has the prefix. Shortest paths, ties by chance, until nothing changes.
    std::vector<std::vector<std::uint32_t>> best(size);
    std::vector<bool> known(size);
    known[0] = true;
    const auto as = [](std::size_t n) { return static_cast<std::uint32_t>(n + 1); };
    for (std::size_t round = 0; round < size; ++round)
      for (std::size_t x = 1; x < size; ++x)
        for (std::size_t y = 0; y < size; ++y) {
          if (!link[x][y] || !known[y] ||
              std::find(best[y].begin(), best[y].end(), as(x)) != best[y].end())
            continue;
          if (known[x] && best[x].size() <= best[y].size() + 1) continue;
          known[x] = true;
          best[x] = best[y];
          best[x].insert(best[x].begin(), as(y));
        }
    std::vector<std::size_t> next(size);
    for (std::size_t x = 1; x < size; ++x) {
      if (!known[x]) continue;
      std::vector<Offer> offers;
      for (std::size_t y = 0; y < size; ++y)
        if (link[x][y] && known[y]) {
          std::vector<std::uint32_t> path = best[y];
          path.insert(path.begin(), as(y));
          offers.push_back(offer({.n = static_cast<std::uint8_t>(y), .as_path = path}));
        }
      const std::size_t used = best[x][0] - 1;
      OfferRules by = rules({.as_path = OfferPolicy::AsPath::shorter_or_same});
      by.own_as = as(x);
      const auto set = merge(kPrefix, {{key(static_cast<std::uint8_t>(used)), 1}}, offers, by).set;
      next[x] = set[below(set.size())].key.ifindex;
    }
    for (std::size_t x = 1; x < size; ++x) {
      std::size_t at = x;
      std::size_t steps = 0;
      while (known[x] && at != 0 && steps <= size) {
        at = next[at];
        ++steps;
      }
      REQUIRE(steps <= size);
    }
  }
}

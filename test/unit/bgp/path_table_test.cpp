#include "core/bgp/path_table.hpp"

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "core/bgp/intake.hpp"
#include "test/catch.hpp"
#include "test/unit/bgp/bytes.hpp"

using namespace hopwise;
using namespace hopwise::bgp;
using namespace hopwise::bgp::test;

namespace {

BgpPath via(const std::string& nexthop, std::vector<std::uint32_t> as_path = {65001}) {
  BgpPath path;
  path.nexthop = address(nexthop);
  path.as_path_length = static_cast<std::uint32_t>(as_path.size());
  path.as_path = std::move(as_path);
  return path;
}

struct Told {
  std::vector<Prefix> changed;
  std::vector<IpAddress> lost;
};

struct Table {
  Told told;
  PathTable paths{{.changed = [this](const Prefix& p) { told.changed.push_back(p); },
                   .lost = [this](SourceId, const IpAddress& a) { told.lost.push_back(a); }}};

  SourceId open(const std::string& peer) { return paths.open(address(peer)).value(); }
  std::set<std::string> nexthops(const std::string& prefix) const {
    std::set<std::string> all;
    for (const KnownPath& known : paths.paths(net(prefix))) all.insert(known.path->nexthop.text());
    return all;
  }
};

using Texts = std::set<std::string>;

}  // namespace

TEST_CASE("all paths of a prefix are known, by source and identifier", "[bgp]") {
  Table t;
  const SourceId a = t.open("127.0.0.1"), b = t.open("::1");
  const std::vector<Nlri> first{{net("192.0.2.0/24"), 1}}, second{{net("192.0.2.0/24"), 2}};
  t.paths.announce(a, via("10.99.1.2"), first);
  t.paths.announce(a, via("10.99.2.2"), second);
  t.paths.announce(b, via("10.99.3.2"), first);
  CHECK(t.nexthops("192.0.2.0/24") == Texts{"10.99.1.2", "10.99.2.2", "10.99.3.2"});
  CHECK(t.paths.counts(a).paths == 2);
  CHECK(t.paths.counts(a).prefixes == 1);
  CHECK(t.told.changed.size() == 3);

  t.paths.announce(a, via("10.99.4.2"), first);  // instead of what had that identifier
  CHECK(t.nexthops("192.0.2.0/24") == Texts{"10.99.4.2", "10.99.2.2", "10.99.3.2"});
  t.paths.withdraw(b, second);  // another's identifier
  CHECK(t.told.changed.size() == 4);
  t.paths.withdraw(a, second);
  CHECK(t.nexthops("192.0.2.0/24") == Texts{"10.99.4.2", "10.99.3.2"});
  CHECK(t.paths.counts(a).paths == 1);
}

TEST_CASE("what is told again as it was changes nothing", "[bgp]") {
  Table t;
  const SourceId a = t.open("127.0.0.1");
  const std::vector<Nlri> nlri{{net("192.0.2.0/24"), 1}};
  t.paths.announce(a, via("10.99.1.2"), nlri);
  t.paths.announce(a, via("10.99.1.2"), nlri);
  CHECK(t.told.changed.size() == 1);
  CHECK(t.paths.attributes() == 1);
}

TEST_CASE("a lost peer's paths are gone at once, and are cleared in slices", "[bgp]") {
  Table t;
  const SourceId a = t.open("127.0.0.1"), b = t.open("127.0.0.3");
  std::vector<Nlri> nlri;
  for (int i = 0; i < 1000; i++)
    nlri.push_back(
        {Prefix{IpAddress{Family::v4, {10, std::uint8_t(i / 256), std::uint8_t(i)}}, 24}, 0});
  t.paths.announce(a, via("10.99.1.2"), nlri);
  t.paths.announce(b, via("10.99.2.2"), std::span(nlri).first(10));
  t.told = {};

  t.paths.close(a);
  CHECK(t.told.lost == std::vector<IpAddress>{address("127.0.0.1")});
  CHECK(t.told.changed.empty());
  CHECK(t.nexthops("10.0.5.0/24") == Texts{"10.99.2.2"});
  CHECK(t.nexthops("10.1.5.0/24").empty());

  CHECK(t.paths.sweep(100));
  CHECK(t.told.changed.size() == 100);
  // Meanwhile the peer is back, and tells of one prefix that was cleared and one that was not.
  const SourceId again = t.open("127.0.0.1");
  CHECK(again != a);
  t.paths.announce(again, via("10.99.3.2"), std::span(nlri).first(1));
  t.paths.announce(again, via("10.99.3.2"), std::span(nlri).last(1));
  while (t.paths.sweep(100)) {
  }
  CHECK(t.nexthops("10.0.0.0/24") == Texts{"10.99.2.2", "10.99.3.2"});
  CHECK(t.nexthops("10.3.231.0/24") == Texts{"10.99.3.2"});
  CHECK(t.paths.prefixes() == 11);
  CHECK(t.paths.attributes() == 2);
  CHECK(std::set(t.told.changed.begin(), t.told.changed.end()).size() == 1000);
}

TEST_CASE("a peer that closes while another is swept is swept next", "[bgp]") {
  Table t;
  const SourceId a = t.open("127.0.0.1"), b = t.open("127.0.0.3");
  const std::vector<Nlri> first{{net("10.0.0.0/24"), 0}}, second{{net("10.0.1.0/24"), 0}};
  t.paths.announce(a, via("10.99.1.2"), first);
  t.paths.announce(a, via("10.99.1.2"), second);
  t.paths.announce(b, via("10.99.2.2"), first);
  t.paths.close(a);
  CHECK(t.paths.sweep(1));
  t.paths.close(b);
  while (t.paths.sweep(1)) {
  }
  CHECK(t.paths.prefixes() == 0);
  CHECK(t.paths.attributes() == 0);
  CHECK_FALSE(t.paths.sweep(1));
}

TEST_CASE("a peer that tells of endless paths to one prefix is bounded", "[bgp]") {
  Table t;
  const SourceId a = t.open("127.0.0.1");
  std::vector<Nlri> nlri;
  for (std::uint32_t id = 0; id < 100; id++) nlri.push_back({net("192.0.2.0/24"), id});
  CHECK(t.paths.announce(a, via("10.99.1.2"), nlri) == 100 - PathTable::kMaxPathsPerPrefix);
  CHECK(t.paths.paths(net("192.0.2.0/24")).size() == PathTable::kMaxPathsPerPrefix);
}

TEST_CASE("a peer that never says the same attributes twice is bounded", "[bgp]") {
  std::size_t told = 0;
  PathTable table({.changed = [&](const Prefix&) { ++told; }, .lost = {}}, 1'000'000);
  const SourceId a = table.open(address("127.0.0.1")).value();
  const auto say = [&](std::uint32_t n) {
    BgpPath path = via("10.99.1.2", std::vector<std::uint32_t>(1000, n + 1));
    const Nlri nlri{{IpAddress{Family::v4, {10, std::uint8_t(n >> 8U), std::uint8_t(n), 0}}, 24},
                    1};
    return table.announce(a, path, {&nlri, 1});
  };
  std::size_t unfit = 0;
  for (std::uint32_t n = 0; n < 1000; ++n) unfit += say(n);
  CHECK(unfit > 700);
  CHECK(table.counts(a).paths == 1000 - unfit);
  CHECK(table.bytes() < 1'100'000);
  CHECK(told == 1000 - unfit);
  CHECK(say(0) == 1);  // what was told of it before is not true any more
  CHECK(table.paths(net("10.0.0.0/24")).empty());
  CHECK(say(0) == 0);  // it has made room
  table.close(a);
  while (table.sweep(64)) {
  }
  CHECK(table.bytes() == 0);
}

TEST_CASE("the table is what a map would be, whatever comes", "[bgp]") {
  using Key = std::tuple<Prefix, std::uint16_t, std::uint32_t>;
  std::map<Key, BgpPath> model;
  Table t;
  std::mt19937 random(7);
  const auto below = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
  std::vector<SourceId> open{t.open("10.0.0.1"), t.open("10.0.0.2"), t.open("10.0.0.3")};
  for (int step = 0; step < 20000; step++) {
    SourceId& source = open[below(3)];
    const auto number = static_cast<std::uint16_t>(source);
    const Nlri nlri{{IpAddress{Family::v4, {10, 0, std::uint8_t(below(50)), 0}}, 24}, below(3)};
    const unsigned what = below(100);
    if (what < 60) {
      const BgpPath path = via("10.99.0." + std::to_string(1 + below(5)), {65001 + below(3)});
      t.paths.announce(source, path, std::span(&nlri, 1));
      model[{nlri.prefix, number, nlri.path_id}] = path;
    } else if (what < 95) {
      t.paths.withdraw(source, std::span(&nlri, 1));
      model.erase({nlri.prefix, number, nlri.path_id});
    } else if (what < 97) {
      t.paths.close(source);
      std::erase_if(model, [&](const auto& held) { return std::get<1>(held.first) == number; });
      source = t.open("10.0.0.9");
    } else {
      t.paths.sweep(below(30));
    }
  }
  std::map<Key, BgpPath> held;
  for (int i = 0; i < 50; i++) {
    const Prefix prefix{IpAddress{Family::v4, {10, 0, std::uint8_t(i), 0}}, 24};
    for (const KnownPath& known : t.paths.paths(prefix))
      held[{prefix, static_cast<std::uint16_t>(known.source), known.path_id}] = *known.path;
  }
  CHECK(held == model);
  CHECK(model.size() > 50);
  std::size_t paths = 0;
  for (const SourceId source : open) paths += t.paths.counts(source).paths;
  CHECK(paths == model.size());
  for (const SourceId source : open) t.paths.close(source);
  while (t.paths.sweep(7)) {
  }
  CHECK(t.paths.prefixes() == 0);
  CHECK(t.paths.attributes() == 0);
}

TEST_CASE("what cannot be true is not believed, and takes back what was", "[bgp]") {
  Table t;
  const SourceId a = t.open("127.0.0.1");
  const Terms terms{65000, {address("127.0.0.1"), address("127.0.0.2"), address("10.99.9.1")}};
  const auto say = [&](BgpPath path, const std::string& prefix) {
    return take(Update{.withdrawn = {}, .announced = {{std::move(path), {{net(prefix), 1}}}}},
                terms, a, t.paths);
  };
  const auto refused = [](Refusal why) {
    Taken taken;
    taken.refused[static_cast<std::size_t>(why)] = 1;
    return taken;
  };
  CHECK(say(via("10.99.1.2"), "192.0.2.0/24") == Taken{});
  REQUIRE(t.nexthops("192.0.2.0/24").size() == 1);
  CHECK(say(via("10.99.1.2", {65001, 65000, 65002}), "192.0.2.0/24") == refused(Refusal::own_as));
  CHECK(t.nexthops("192.0.2.0/24").empty());
  CHECK(say(via("10.99.9.1"), "192.0.2.0/24") == refused(Refusal::nexthop_ourselves));
  for (const char* nowhere : {"0.0.0.0", "127.0.0.9", "224.0.0.1", "255.255.255.255", "::", "::1",
                              "ff02::1", "::ffff:10.0.0.1"})
    CHECK(say(via(nowhere), "192.0.2.0/24") == refused(Refusal::nexthop_invalid));
  for (const char* martian :
       {"127.0.0.0/8", "127.1.0.0/16", "0.0.0.0/8", "169.254.3.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "255.255.255.255/32", "::1/128", "fe80::/10", "fe80:1::/32", "ff00::/8", "::/96"})
    CHECK(say(via("10.99.1.2"), martian) == refused(Refusal::martian));
  for (const char* fine : {"0.0.0.0/0", "::/0", "10.0.0.0/8", "192.0.2.1/32", "2000::/3",
                           "64:ff9b::/96", "128.0.0.0/1", "fc00::/7"})
    CHECK(say(via("10.99.1.2"), fine) == Taken{});
}

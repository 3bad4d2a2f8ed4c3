#include "core/daemon/promotion.hpp"

#include <random>
#include <set>

#include "test/catch.hpp"

using namespace hopwise;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint kStart{1h};
constexpr Promotion::Terms kTerms{.count = 8, .min_share = 0.01, .room = 100};

Prefix prefix(std::uint8_t n) {
  return *Prefix::parse("10.0." + std::to_string(n) + ".0/24");
}

Promotion::Candidate candidate(std::uint8_t n, double share) {
  return {prefix(n), share, share, 5e6};
}

/// Looks each ten seconds, at the same traffic; what is decided happens.
struct World {
  Promotion promotion;
  TimePoint now = kStart;
  std::size_t promoted = 0, demoted = 0, most_in_a_look = 0;

  void look(const std::vector<Promotion::Candidate>& heaviest, int looks = 1,
            const Promotion::Terms& terms = kTerms) {
    for (; looks > 0; --looks, now += 10s) {
      const auto changes = promotion.look(heaviest, terms, now);
      for (const Prefix& p : changes.demote) promotion.ended(p);
      for (const Prefix& p : changes.promote) promotion.begun(p, now);
      promoted += changes.promote.size();
      demoted += changes.demote.size();
      most_in_a_look = std::max({most_in_a_look, changes.promote.size(), changes.demote.size()});
    }
  }
  [[nodiscard]] bool has(std::uint8_t n) const { return promotion.is_promoted(prefix(n)); }
};

}  // namespace

TEST_CASE("a heavy destination is promoted after three looks in a row", "[destinations]") {
  World world;
  world.look({candidate(1, 0.3)}, 2);
  CHECK_FALSE(world.has(1));
  world.look({}, 1);
  world.look({candidate(1, 0.3)}, 2);
  CHECK_FALSE(world.has(1));
  world.look({candidate(1, 0.3)}, 1);
  CHECK(world.has(1));
}

TEST_CASE("what is light, unsure, slow or all of its group is not promoted", "[destinations]") {
  World world;
  Promotion::Candidate unsure = candidate(2, 0.005), slow = candidate(3, 0.3);
  unsure.share_most = 0.5;
  slow.bit_s = 50'000;
  world.look({candidate(1, 0.009), unsure, slow, candidate(4, 0.995), candidate(5, 0.98)}, 10);
  CHECK(world.promotion.promoted() == 1);
  CHECK(world.has(5));
}

TEST_CASE("one that turns light is demoted after thirty looks, and not before five minutes",
          "[destinations]") {
  World world;
  world.look({candidate(1, 0.3)}, 3);
  world.look({candidate(1, 0.004)}, 29);
  world.look({candidate(1, 0.006)}, 1);  // above half
  CHECK(world.has(1));
  world.look({candidate(1, 0.004)}, 29);
  CHECK(world.has(1));
  world.look({}, 1);
  CHECK_FALSE(world.has(1));
}

TEST_CASE("a destination about the limit does not flap", "[destinations]") {
  std::mt19937 random(3);
  std::uniform_real_distribution<double> share(0.006, 0.014);
  World world;
  for (int i = 0; i < 5'000; ++i) world.look({candidate(1, share(random))});
  CHECK(world.promoted == 1);
  CHECK(world.demoted == 0);
}

TEST_CASE("there are never more than count, and the heaviest have them", "[destinations]") {
  World world;
  std::vector<Promotion::Candidate> crowd;
  for (std::uint8_t n = 1; n <= 40; ++n) crowd.push_back(candidate(n, 0.02));
  world.look(crowd, 50);
  CHECK(world.promotion.promoted() == 8);
  CHECK(world.has(1));
  CHECK(world.has(8));
  world.look(crowd, 1, {.count = 3, .min_share = 0.01, .room = 100});
  CHECK(world.promotion.promoted() == 3);
}

TEST_CASE("a look changes a few only", "[destinations]") {
  World world;
  std::vector<Promotion::Candidate> crowd;
  for (std::uint8_t n = 1; n <= 90; ++n) crowd.push_back(candidate(n, 0.011));
  const Promotion::Terms terms{.count = 256, .min_share = 0.01, .room = 1000};
  world.look(crowd, 10, terms);
  CHECK(world.promotion.promoted() == 90);
  world.look({}, 60, terms);
  CHECK(world.promotion.promoted() == 0);
  CHECK(world.most_in_a_look == Promotion::kChangesPerLook);
}

TEST_CASE("where room runs out promotion stops, and then the lightest go at once",
          "[destinations]") {
  World world;
  const std::vector<Promotion::Candidate> three{candidate(1, 0.3), candidate(2, 0.2),
                                                candidate(3, 0.1)};
  world.look(three, 5, {.count = 8, .min_share = 0.01, .room = 0});
  CHECK(world.promotion.promoted() == 0);
  world.look(three, 1);
  CHECK(world.promotion.promoted() == 3);
  world.look(three, 1, {.count = 8, .min_share = 0.01, .room = -1});
  CHECK(world.promotion.promoted() == 2);
  CHECK_FALSE(world.has(3));
}

TEST_CASE("what routing ends must earn it again", "[destinations]") {
  World world;
  world.look({candidate(1, 0.3)}, 3);
  world.promotion.ended(prefix(1));
  world.look({candidate(1, 0.3)}, 2);
  CHECK_FALSE(world.has(1));
  world.look({candidate(1, 0.3)}, 1);
  CHECK(world.has(1));
}

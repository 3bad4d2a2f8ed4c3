#include "probes/reflect/recent.hpp"

#include <list>
#include <random>

#include "test/catch.hpp"

using namespace hopwise::probes;

namespace {

// Everything in few chains, so that they are long.
struct PoorHash {
  std::size_t operator()(int key) const { return static_cast<std::size_t>(key) % 3; }
};

}  // namespace

TEST_CASE("what was used longest ago makes room", "[stamp]") {
  Recent<int, int, PoorHash> table(3, {});
  table.at(1) = 10;
  table.at(2) = 20;
  table.at(3) = 30;
  CHECK(table.at(1) == 10);
  table.at(4) = 40;
  CHECK(table.size() == 3);
  CHECK(table.forgotten() == 1);
  CHECK(table.at(1) == 10);
  CHECK(table.at(3) == 30);
  CHECK(table.at(4) == 40);
  CHECK(table.at(2) == 0);
}

TEST_CASE("a bounded table is as a list by age that is cut", "[stamp]") {
  const std::size_t capacity = GENERATE(1U, 2U, 7U, 64U);
  Recent<int, int, PoorHash> table(capacity, {});
  std::list<std::pair<int, int>> model;  // newest first
  std::mt19937 random(static_cast<unsigned>(capacity));
  for (int i = 1; i < 20000; i++) {
    const int key = static_cast<int>(random() % (2 * capacity));
    int& value = table.at(key);
    const auto known =
        std::find_if(model.begin(), model.end(), [&](const auto& e) { return e.first == key; });
    REQUIRE(value == (known == model.end() ? 0 : known->second));
    if (known != model.end()) model.erase(known);
    model.emplace_front(key, i);
    value = i;
    if (model.size() > capacity) model.pop_back();
    REQUIRE(table.size() == model.size());
  }
}

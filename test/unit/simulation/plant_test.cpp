// The simulated world keeps its books, and is the same every time.
#include "core/simulation/plant.hpp"

#include "test/catch.hpp"

using namespace hopwise::simulation;

namespace {

std::vector<LinkSpec> two_links() {
  return {{.name = "fast", .capacity_bit_s = 1e9, .base_ms = 20, .buffer_ms = 100},
          {.name = "slow", .capacity_bit_s = 5e8, .base_ms = 25, .buffer_ms = 100}};
}

std::vector<GroupSpec> one_group(const DemandSpec& demand) {
  return {{.links = {0, 1}, .demand = demand}};
}

void run(Plant& plant, double until_s) {
  while (plant.now_s() < until_s) plant.step();
}

void check_books(const LinkState& s) {
  CHECK(s.in_bits == Approx(s.out_bits + s.lost_bits + s.queue_bits).epsilon(1e-9));
}

}  // namespace

TEST_CASE("what enters a link leaves it, is lost, or waits", "[simulation]") {
  auto links = two_links();
  links[0].loss = 0.01;
  links[0].bursts = {.loss = 0.3, .bad_s = 2, .good_s = 5};
  links[1].cross = {CrossKind::walk, 2e8, 1e8, 10};
  Plant plant(links, one_group({.mean_bit_s = 1.6e9}), {});
  for (double t = 10; t <= 100; t += 10) {
    run(plant, t);
    if (t == 50) links[1].outage = Outage::black_hole;
    if (t == 70) links[1].outage = Outage::none;
    if (t == 80) links[0].buffer_ms = 5;
    plant.change(0, links[0]);
    plant.change(1, links[1]);
    check_books(plant.link(0).state());
    check_books(plant.link(1).state());
  }
  CHECK(plant.link(0).state().lost_bits > 0);
  CHECK(plant.link(1).state().lost_bits > 0);
}

TEST_CASE("an overloaded link's queue fills its buffer and no more", "[simulation]") {
  Plant plant(two_links(), one_group({.mean_bit_s = 1.2e9, .granularity = Granularity::fluid}), {});
  plant.steer(0, std::vector<double>{1, 0});
  run(plant, 100);
  CHECK(plant.link(0).state().rtt_ms == Approx(120).margin(0.01));
  CHECK(plant.link(0).state().loss == Approx(1 - 1 / 1.2).margin(0.001));
  CHECK(plant.link(1).state().rtt_ms == Approx(25));
}

TEST_CASE("the number of flows is what arrives in a lifetime", "[simulation]") {
  for (const auto lifetimes : {Lifetimes::exponential, Lifetimes::pareto}) {
    const DemandSpec spec{.mean_bit_s = 1e9,
                          .lifetime_s = 5,
                          .flow_bit_s = 1e6,
                          .lifetimes = lifetimes,
                          .shape = 2.5};
    Plant plant(two_links(), one_group(spec), {});
    double sum = 0;
    int count = 0;
    for (double t = 1; t <= 200; t += 1) {
      run(plant, t);
      const Demand& demand = plant.demand(0);
      REQUIRE(demand.arrived() == demand.ended() + demand.alive());
      const auto carried = demand.carried();
      REQUIRE(carried[0].total() + carried[1].total() ==
              Approx(1e6 * static_cast<double>(demand.alive())));
      sum += static_cast<double>(demand.alive());
      ++count;
    }
    CHECK(sum / count == Approx(1000).epsilon(0.03));
  }
}

TEST_CASE("flows stay where they began until their path is unusable", "[simulation]") {
  Plant plant(two_links(), one_group({.mean_bit_s = 1e8, .lifetime_s = 1000}), {});
  const double before = plant.demand(0).carried()[0].total();
  plant.steer(0, std::vector<double>{0, 1});
  run(plant, 1);
  CHECK(plant.demand(0).carried()[0].total() == Approx(before).epsilon(0.1));
  CHECK(plant.demand(0).moved_bits() == 0);
  plant.steer(0, std::vector<double>{0, 1}, std::vector<std::uint8_t>{0, 1});
  CHECK(plant.demand(0).carried()[0].total() == 0);
  CHECK(plant.demand(0).moved_bits() == Approx(1000 * before).epsilon(0.5));
}

TEST_CASE("control flows heed routing's own weights alone", "[simulation]") {
  Plant plant(two_links(), one_group({.mean_bit_s = 1e9, .lifetime_s = 1, .control_share = 0.1}),
              {});
  plant.steer(0, std::vector<double>{1, 0});
  run(plant, 20);
  const auto carried = plant.demand(0).carried();
  CHECK(carried[1].steered_bit_s == 0);
  CHECK(carried[1].control_bit_s == Approx(5e7).epsilon(0.5));
  CHECK(carried[0].control_bit_s == Approx(5e7).epsilon(0.5));
}

TEST_CASE("a group without any path refuses its flows", "[simulation]") {
  Plant plant(two_links(), one_group({.mean_bit_s = 1e8, .lifetime_s = 1}), {});
  plant.steer(0, std::vector<double>{0, 0}, std::vector<std::uint8_t>{0, 0});
  run(plant, 10);
  CHECK(plant.demand(0).refused_bits() == Approx(1e9).epsilon(0.2));
}

TEST_CASE("losses are as many as the processes say", "[simulation]") {
  auto links = two_links();
  links[0].bursts = {.loss = 0.2, .bad_s = 1, .good_s = 4};
  Plant plant(links, one_group({.mean_bit_s = 1e8, .granularity = Granularity::fluid}), {});
  run(plant, 2000);
  const LinkState& s = plant.link(0).state();
  CHECK(s.lost_bits / s.in_bits == Approx(0.04).epsilon(0.1));
}

TEST_CASE("a seed gives one run, a copy goes on alike, another seed does not", "[simulation]") {
  auto links = two_links();
  links[0].cross = {CrossKind::on_off, 3e8, 0, 5};
  const auto groups = one_group({.mean_bit_s = 1.2e9});
  Plant one(links, groups, {.seed = 7});
  Plant same(links, groups, {.seed = 7});
  Plant other(links, groups, {.seed = 8});
  run(one, 30);
  Plant copy = one;
  for (Plant* p : {&one, &same, &other, &copy}) run(*p, 60);
  CHECK(one.link(0).state().in_bits == same.link(0).state().in_bits);
  CHECK(one.link(0).state().in_bits == copy.link(0).state().in_bits);
  CHECK(one.link(0).state().in_bits != other.link(0).state().in_bits);
}

TEST_CASE("what is steered changes no arrival", "[simulation]") {
  Plant one(two_links(), one_group({.mean_bit_s = 1e9}), {});
  Plant other(two_links(), one_group({.mean_bit_s = 1e9}), {});
  other.steer(0, std::vector<double>{1, 0});
  run(one, 60);
  run(other, 60);
  CHECK(one.demand(0).arrived() == other.demand(0).arrived());
  CHECK(one.demand(0).alive() == other.demand(0).alive());
}

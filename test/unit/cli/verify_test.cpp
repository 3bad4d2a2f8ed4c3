#include <nlohmann/json.hpp>

#include "core/cli/standing.hpp"
#include "core/cli/verify_report.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::cli;
using dataplane::Difference;
using dataplane::Fault;
using Next = Standing::Next;
using namespace std::chrono_literals;

namespace {

TimePoint at(Duration time) {
  return TimePoint(1h + time);
}

Difference stale(const std::string& prefix) {
  return {Fault::stale_route, prefix, "leads to group 3"};
}

std::string subjects(const Standing& standing) {
  std::string text;
  for (const Difference& d : standing.faults()) text += d.subject + ' ';
  return text;
}

}  // namespace

TEST_CASE("tables without a difference are settled by one look", "[verify]") {
  Standing standing(1s);
  CHECK(standing.look({}, at(0s), at(2s)) == Next::settled);
  CHECK(standing.faults().empty());
  CHECK(standing.looks() == 1);
}

TEST_CASE("a difference is believed when it stands from one look to a later one", "[verify]") {
  Standing standing(1s);
  CHECK(standing.look({stale("a"), stale("b")}, at(0s), at(500ms)) == Next::look_again);
  CHECK(standing.look({stale("a")}, at(700ms), at(1200ms)) == Next::look_again);
  CHECK(standing.faults().empty());
  CHECK(standing.changing() == 1);
  CHECK(standing.look({stale("a")}, at(1500ms), at(2s)) == Next::settled);
  CHECK(subjects(standing) == "a ");
  CHECK(standing.changing() == 0);
}

TEST_CASE("a long look is no proof by itself: only the next one is", "[verify]") {
  Standing standing(1s);
  CHECK(standing.look({stale("a")}, at(0s), at(10s)) == Next::look_again);
  CHECK(standing.look({stale("a")}, at(10200ms), at(20s)) == Next::look_again);
  CHECK(standing.look({stale("a")}, at(20200ms), at(30s)) == Next::settled);
  CHECK(subjects(standing) == "a ");
}

TEST_CASE("a difference that went and came again begins anew", "[verify]") {
  Standing standing(1s);
  standing.look({stale("a"), stale("b")}, at(0s), at(100ms));
  standing.look({stale("b")}, at(300ms), at(400ms));
  CHECK(standing.look({stale("a"), stale("b")}, at(1200ms), at(1300ms)) == Next::look_again);
  CHECK(subjects(standing) == "b ");
}

TEST_CASE("where always new differences come, it ends after three waits", "[verify]") {
  Standing standing(1s);
  for (int i = 0;; ++i) {
    REQUIRE(i < 100);
    const auto next = standing.look({stale(std::to_string(i))}, at(i * 500ms), at(i * 500ms + 1ms));
    if (next == Next::settled) break;
  }
  CHECK(standing.looks() == 7);
  CHECK(standing.faults().empty());
  CHECK(standing.changing() == 1);
}

TEST_CASE("without a wait one look is believed", "[verify]") {
  Standing standing(0s);
  CHECK(standing.look({stale("a")}, at(0s), at(1s)) == Next::settled);
  CHECK(subjects(standing) == "a ");
}

TEST_CASE("a report says in its first word whether all is equal, and what to do if not",
          "[verify]") {
  VerifyReport report;
  report.last.counts.routes4 = 1000;
  report.looks = 1;
  report.last.lease_left = 4s;
  CHECK(to_text(report).starts_with("equal: 1000 IPv4 routes"));
  CHECK(to_text(report).find("lease: runs, 4.0 s left") != std::string::npos);
  CHECK(to_text(report).find("expected by") == std::string::npos);
  CHECK(nlohmann::json::parse(to_json(report))["equal"] == true);

  report.last.lease_left = -20s;
  for (int i = 0; i < 7; ++i) report.faults.push_back(stale("203.0.113." + std::to_string(i)));
  report.faults.push_back({Fault::usable_while_down, "192.0.2.1@eth1", "its link is down"});
  const std::string text = to_text(report);
  CHECK(text.starts_with("differs: 8 differences"));
  CHECK(text.find("expected by the defaults, without a file: the daemon must run by the same") !=
        std::string::npos);
  CHECK(text.find("lease: over for 20.0 s") != std::string::npos);
  CHECK(text.find("stale_route (7): steered where") != std::string::npos);
  CHECK(text.find("203.0.113.4  leads to group 3") != std::string::npos);
  CHECK(text.find("203.0.113.5  ") == std::string::npos);
  CHECK(text.find("... and 2 more") != std::string::npos);
  CHECK(text.find("what to do: restart hopwise") != std::string::npos);
  const auto json = nlohmann::json::parse(to_json(report));
  CHECK(json["equal"] == false);
  CHECK(json["differences"] == 8);
  CHECK(json["faults"][0]["fault"] == "stale_route");
  CHECK(json["faults"][0]["examples"].size() == 7);
  CHECK(json["lease_left_s"] == -20.0);
}

#include "test/lab/prometheus.hpp"

#include "test/catch.hpp"

using namespace hopwise::lab;

TEST_CASE("a dashboard's variables become something that Prometheus understands") {
  CHECK(without_variables("rate(x_total{job=~\"$job\"}[$__rate_interval])") ==
        "rate(x_total{job=~\".*\"}[10s])");
  CHECK(without_variables("x{a=~\"${nexthop:regex}\"} > 2") == "x{a=~\".*\"} > 2");
}

TEST_CASE("the queries of panels inside rows are found too") {
  const auto queries = dashboard_queries(R"({"panels": [
    {"title": "A", "targets": [{"expr": "up"}, {"expr": "down"}]},
    {"title": "row", "panels": [{"title": "B", "targets": [{"expr": "x"}]}]}]})");
  REQUIRE(queries.has_value());
  REQUIRE(queries->size() == 3);
  CHECK(queries->back().panel == "B");
  CHECK_FALSE(dashboard_queries("{").has_value());
}

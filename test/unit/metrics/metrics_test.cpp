#include "core/metrics/metrics.hpp"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "core/metrics/table.hpp"
#include "test/catch.hpp"
#include "test/unit/api/example.hpp"

using namespace hopwise;
using namespace hopwise::metrics;

namespace {

Sample reply(const char* anchor, std::chrono::nanoseconds rtt) {
  Sample sample;
  sample.nexthop = NexthopId{1};
  sample.anchor = *IpAddress::parse(anchor);
  sample.rtt = rtt;
  return sample;
}

std::string example_page() {
  Metrics metrics(example_status);
  metrics.observe(reply("203.0.113.1", std::chrono::milliseconds(20)),
                  example_status().nexthops[0].nexthop);
  return metrics.scrape();
}

bool has_line(const std::string& page, const std::string& line) {
  return ('\n' + page).find('\n' + line + '\n') != std::string::npos;
}

/// "name{labels} value" -> value, and the name's family.
struct Page {
  explicit Page(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      CAPTURE(line);
      REQUIRE(!line.empty());
      if (line[0] == '#') {
        std::istringstream words(line);
        std::string hash, what, name, rest;
        words >> hash >> what >> name;
        std::getline(words >> std::ws, rest);
        CHECK((what == "HELP" || what == "TYPE"));
        CHECK(!rest.empty());
        (what == "HELP" ? helped : typed).insert(name);
        continue;
      }
      const auto blank = line.rfind(' ');
      REQUIRE(blank != std::string::npos);
      char* end = nullptr;
      static_cast<void>(std::strtod(line.c_str() + blank, &end));
      CHECK(*end == '\0');
      const std::string series = line.substr(0, blank);
      CHECK(series.find(' ') == std::string::npos);
      CHECK(seen.insert(series).second);  // no series twice
      names.insert(series.substr(0, series.find('{')));
    }
  }
  std::set<std::string> helped, typed, names, seen;
};

}  // namespace

TEST_CASE("names end with their unit, counters with _total, and no help text has a line break") {
  for (const MetricRow& metric : kMetrics) {
    CAPTURE(metric.name);
    std::string name = metric.name;
    const bool counter = metric.kind == MetricKind::counter;
    CHECK(name.ends_with("_total") == counter);
    if (counter) name.erase(name.size() - 6);
    CHECK(name.ends_with(metric.unit));
    CHECK(std::string(metric.help).find('\n') == std::string::npos);
  }
}

TEST_CASE("every metric of the table is on the page, with HELP and TYPE") {
  const Page page(example_page());
  CHECK(page.helped == page.typed);
  CHECK(page.helped.size() == std::size(kMetrics));
  for (const MetricRow& metric : kMetrics) {
    CAPTURE(metric.name);
    CHECK(page.typed.count(metric.name) == 1);
    const std::string first =
        metric.name + std::string(metric.kind == MetricKind::histogram ? "_bucket" : "");
    CHECK(page.names.count(first) == 1);
  }
}

TEST_CASE("figures are in base units under the nexthop's name") {
  const std::string page = example_page();
  CHECK(has_line(page, "hopwise_nexthop_rtt_seconds{nexthop=\"isp-a\"} 0.1205"));
  CHECK(has_line(page, "hopwise_nexthop_state{nexthop=\"isp-a\",state=\"degraded\"} 1"));
  CHECK(has_line(page, "hopwise_nexthop_state{nexthop=\"isp-a\",state=\"up\"} 0"));
  CHECK(has_line(page, "hopwise_path_weight_ratio{group=\"1\",nexthop=\"isp-b\"} 0.75"));
  CHECK(has_line(
      page,
      "hopwise_path_bytes_total{group=\"1\",nexthop=\"isp-b\",direction=\"forward\"} 1500000"));
  CHECK(has_line(page, "hopwise_packets_total{reason=\"no_route\"} 7"));
  CHECK(has_line(page, "hopwise_decisions_total{reason=\"path_degraded\"} 2"));
  CHECK(has_line(page, "hopwise_decisions_total{reason=\"no_alternative_hold\"} 0"));
  CHECK(has_line(page, "hopwise_decisions_total{reason=\"overload_hold\"} 0"));
  CHECK(has_line(page, "hopwise_routes{kind=\"kernel\"} 3"));
  CHECK(has_line(page, "hopwise_scrape_dropped_series 0"));
}

TEST_CASE("passive readings are a summary: quantiles of now, count and sum of all time") {
  const std::string page = example_page();
  const std::string a = "group=\"1\",nexthop=\"isp-a\"";
  const std::string b = "group=\"1\",nexthop=\"isp-b\"";
  CHECK(has_line(page, "hopwise_path_passive_rtt_seconds{" + a + ",quantile=\"0.5\"} 0.03"));
  CHECK(has_line(page, "hopwise_path_passive_rtt_seconds{" + a + ",quantile=\"0.99\"} 0.06"));
  CHECK(has_line(page, "hopwise_path_passive_rtt_seconds_count{" + a + "} 5000"));
  CHECK(has_line(page, "hopwise_path_passive_rtt_seconds_sum{" + a + "} 160"));
  CHECK(has_line(page, "hopwise_path_passive_rtt_seconds_count{" + b + "} 0"));
  CHECK(page.find("hopwise_path_passive_rtt_seconds{" + b) == std::string::npos);
  CHECK(has_line(page, "hopwise_path_passive_rtt_samples_total{" + a + ",method=\"spin\"} 70"));
  CHECK(has_line(page, "hopwise_path_segments_total{" + a + "} 800"));
  CHECK(has_line(page, "hopwise_path_retransmitted_segments_total{" + a + "} 20"));
  CHECK(has_line(page, "hopwise_path_ecn_acks_total{" + a + "} 600"));
  CHECK(has_line(page, "hopwise_path_ece_acks_total{" + a + "} 6"));
  CHECK(has_line(page, "hopwise_path_escapes_total{" + b + "} 0"));
  CHECK(has_line(page, "hopwise_dataplane_events_total{event=\"escaped\"} 2"));
  CHECK(has_line(page, "hopwise_actuator_info{actuator=\"mark\"} 1"));
  CHECK(has_line(page, "hopwise_control_packets_total{group=\"1\",direction=\"forward\"} 100"));
  CHECK(has_line(page, "hopwise_control_passive_rtt_seconds{group=\"1\",quantile=\"0.5\"} 0.025"));
}

TEST_CASE("without a control group there is no series of it") {
  const Metrics metrics([] {
    Status status = example_status();
    status.groups[0].control_traffic.reset();
    return status;
  });
  CHECK(metrics.scrape().find("hopwise_control_") == std::string::npos);
}

TEST_CASE("what is not known has no series") {
  const std::string page = example_page();
  CHECK(page.find("hopwise_nexthop_rtt_seconds{nexthop=\"isp-b\"}") == std::string::npos);
  CHECK(page.find("hopwise_nexthop_loss_ratio{nexthop=\"isp-b\"}") == std::string::npos);
  CHECK(has_line(page, "hopwise_nexthop_loss_upper_ratio{nexthop=\"isp-b\"} 1"));
}

TEST_CASE("replies and late replies enter the histogram, losses do not, and it can be forgotten") {
  Metrics metrics(example_status);
  const Nexthop nexthop = example_status().nexthops[0].nexthop;
  Sample sample = reply("203.0.113.1", std::chrono::microseconds(60));
  metrics.observe(sample, nexthop);
  sample.outcome = Outcome::late;
  sample.rtt = std::chrono::seconds(3);
  metrics.observe(sample, nexthop);
  sample.outcome = Outcome::lost;
  metrics.observe(sample, nexthop);
  const std::string labels = "{nexthop=\"isp-a\",target=\"203.0.113.1\"";
  const std::string page = metrics.scrape();
  CHECK(has_line(page, "hopwise_probe_rtt_seconds_count" + labels + "} 2"));
  CHECK(has_line(page, "hopwise_probe_rtt_seconds_bucket" + labels + ",le=\"0.0001\"} 1"));
  CHECK(has_line(page, "hopwise_probe_rtt_seconds_bucket" + labels + ",le=\"+Inf\"} 2"));
  metrics.forget(nexthop);
  CHECK(metrics.scrape().find("hopwise_probe_rtt_seconds") == std::string::npos);
  metrics.observe(reply("203.0.113.1", std::chrono::microseconds(60)), nexthop);
  CHECK(has_line(metrics.scrape(), "hopwise_probe_rtt_seconds_count" + labels + "} 1"));
}

TEST_CASE("a snapshot that throws makes a short page that says so") {
  const Metrics metrics([]() -> Status { throw std::runtime_error("maps are gone"); });
  CHECK(has_line(metrics.scrape(), "hopwise_scrape_failures_total 1"));
  CHECK(has_line(metrics.scrape(), "hopwise_scrape_failures_total 2"));
}

TEST_CASE("labels with quotes, backslashes and line breaks stay on their line") {
  const Metrics metrics([] {
    Status status = example_status();
    status.nexthops[0].nexthop.name = "a\"b\\c\nd";
    return status;
  });
  CHECK(metrics.scrape().find("nexthop=\"a\\\"b\\\\c\\nd\"") != std::string::npos);
}

TEST_CASE("a page never grows beyond its limit, and counts what it left out") {
  const Metrics metrics([] {
    Status status;
    for (int i = 0; i < 20'000; ++i) status.packets_by_reason["reason-" + std::to_string(i)] = 1;
    return status;
  });
  const std::string page = metrics.scrape();
  CHECK(std::count(page.begin(), page.end(), '\n') < 10'100);
  CHECK(!has_line(page, "hopwise_scrape_dropped_series 0"));
}

TEST_CASE("promtool finds nothing to complain of") {
  if (std::system("command -v promtool >/dev/null") != 0) {
    WARN("promtool is not installed (Debian: prometheus): skipped");
    return;
  }
  std::string name = "/tmp/hopwise-metrics-XXXXXX";
  const int file = ::mkstemp(name.data());
  REQUIRE(file >= 0);
  ::close(file);
  std::ofstream(name) << example_page();
  CHECK(std::system(("promtool check metrics < " + name + " >&2").c_str()) == 0);
  std::remove(name.c_str());
}

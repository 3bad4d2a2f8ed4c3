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

constexpr const char* kEcho = "nexthop=\"isp-a\",target=\"203.0.113.1\",protocol=\"icmp\"";

std::string example_page() {
  Metrics metrics([] {
    Status status = example_status();
    status.destinations = DestinationsStatus{.promoted = 2, .promotions = 3, .demotions = 1};
    status.speaker = example_speaker();
    const IpAddress daemon = *IpAddress::parse("127.0.0.1");
    status.bgp.emplace().peers = {{.address = daemon, .errors = {{"refused:own_as", 2}}}};
    status.bmp.emplace().routers = {{.address = daemon, .errors = {{"unknown_peer", 1}}}};
    status.candidates.emplace().paths = {{"taken", 3}};
    return status;
  });
  metrics.observe(reply("203.0.113.1", std::chrono::milliseconds(20)));
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

TEST_CASE("replies and late replies enter the histogram, losses do not") {
  Metrics metrics(example_status);
  Sample sample = reply("203.0.113.1", std::chrono::microseconds(60));
  metrics.observe(sample);
  sample.outcome = Outcome::late;
  sample.rtt = std::chrono::seconds(3);
  metrics.observe(sample);
  sample.outcome = Outcome::lost;
  metrics.observe(sample);
  const std::string labels = kEcho;
  const std::string page = metrics.scrape();
  CHECK(has_line(page, "hopwise_probe_rtt_seconds_count{" + labels + "} 2"));
  CHECK(has_line(page, "hopwise_probe_rtt_seconds_sum{" + labels + "} 3.00006"));
  CHECK(has_line(page, "hopwise_probe_rtt_seconds_bucket{" + labels + ",le=\"5e-05\"} 0"));
  CHECK(has_line(page, "hopwise_probe_rtt_seconds_bucket{" + labels + ",le=\"0.0001\"} 1"));
  CHECK(has_line(page, "hopwise_probe_rtt_seconds_bucket{" + labels + ",le=\"26.2144\"} 2"));
  CHECK(has_line(page, "hopwise_probe_rtt_seconds_bucket{" + labels + ",le=\"+Inf\"} 2"));
}

TEST_CASE("a time belongs to the bucket whose bound it does not exceed") {
  for (std::size_t n = 0; n < RttHistogram::kBounds; ++n) {
    CAPTURE(n);
    RttHistogram histogram;
    histogram.add(RttHistogram::bound(n));
    CHECK(histogram.counts[n] == 1);
    histogram.add(RttHistogram::bound(n) + std::chrono::nanoseconds(1));
    CHECK(histogram.counts[n + 1] == 1);
    CHECK(histogram.count() == 2);
  }
  RttHistogram histogram;
  histogram.add(Duration(1));
  CHECK(histogram.counts[0] == 1);
  histogram.add(std::chrono::hours(1));
  CHECK(histogram.counts[RttHistogram::kBounds] == 1);
}

TEST_CASE("histograms go with their anchors and nexthops, and are no other nexthop's") {
  Status status = example_status();
  Metrics metrics([&] { return status; });
  const auto counted = [&](const char* target) {
    return has_line(metrics.scrape(),
                    "hopwise_probe_rtt_seconds_count{nexthop=\"isp-a\",target=\"" +
                        std::string(target) + "\",protocol=\"icmp\"} 1");
  };
  std::vector<ProbeStatus>& probes = status.nexthops[0].probes;
  probes = {probes[0], probes[0]};
  probes[1].anchor = *IpAddress::parse("203.0.113.2");
  metrics.observe(reply("203.0.113.1", std::chrono::milliseconds(1)));
  metrics.observe(reply("203.0.113.2", std::chrono::milliseconds(1)));
  metrics.keep(probes);
  CHECK(counted("203.0.113.1"));
  CHECK(counted("203.0.113.2"));

  // A reload drops an anchor, and a later one brings it back: it begins anew.
  metrics.keep({probes.data(), 1});
  CHECK(counted("203.0.113.1"));
  CHECK_FALSE(counted("203.0.113.2"));

  // The id may be another nexthop's next.
  metrics.forget(NexthopId{1});
  CHECK_FALSE(counted("203.0.113.1"));
  metrics.observe(reply("203.0.113.1", std::chrono::milliseconds(1)));
  CHECK(counted("203.0.113.1"));

  // What is observed of nobody's is never shown, and does not stay.
  Sample stray = reply("203.0.113.1", std::chrono::milliseconds(1));
  stray.nexthop = NexthopId{77};
  metrics.observe(stray);
  CHECK_NOTHROW(Page(metrics.scrape()));
}

TEST_CASE("probers tell what became of their probes, under target and protocol") {
  const std::string page = example_page();
  const std::string echo = kEcho;
  const std::string stamp =
      "nexthop=\"isp-a\",target=\"stamp://203.0.113.2:862\",protocol=\"stamp\"";
  const std::string web = "nexthop=\"isp-a\",target=\"https://203.0.113.3:443\",protocol=\"https\"";
  const auto has = [&](const char* name, const std::string& labels, const char* value) {
    const std::string line = std::string("hopwise_probe_") + name + '{' + labels + "} " + value;
    CAPTURE(line);
    CHECK(has_line(page, line));
  };
  has("sent_total", echo, "500");
  has("received_total", echo, "490");
  has("lost_total", echo, "10");
  has("late_total", echo, "1");
  has("duplicate_total", echo, "2");
  has("proved_total", echo, "498");
  has("kernel_stamped_total", echo, "490");
  has("rate", echo, "20");
  has("suspicious", echo, "1");
  has("state", echo + ",state=\"suspicious\"", "1");
  has("state", web + ",state=\"unbound\"", "1");
  has("state", web + ",state=\"probing\"", "0");
  has("blamed", echo, "0");
  has("void_total", echo + ",reason=\"not_left\"", "3");
  has("void_total", echo + ",reason=\"neighbour\"", "7");
  has("void_total", echo + ",reason=\"rules\"", "0");
  has("forged_total", stamp, "4");
  has("unsent_total", web, "6");
  has("refused_total", web, "1");
  has("first_byte_seconds", web, "0.045");
  has("one_way_delay_seconds", stamp + ",direction=\"forward\"", "0.012");
  has("one_way_delay_seconds", stamp + ",direction=\"reverse\"", "0.008");
  has("direction_lost_total", stamp + ",direction=\"forward\"", "9");
  has("direction_lost_total", stamp + ",direction=\"reverse\"", "1");
  has("flow_spread_seconds", echo, "0.0035");
  has("flow_sent_total", echo + ",flow=\"1\"", "125");
  has("flow_lost_total", echo + ",flow=\"1\"", "8");
  has("flow_rtt_seconds", echo + ",flow=\"0\"", "0.02");
  CHECK(page.find("hopwise_probe_flow_rtt_seconds{" + echo + ",flow=\"2\"}") == std::string::npos);
  CHECK(page.find("hopwise_probe_flow_sent_total{" + web) == std::string::npos);
  CHECK(page.find("hopwise_probe_first_byte_seconds{" + echo) == std::string::npos);
  CHECK(page.find("hopwise_probe_sample_age_seconds{" + web) == std::string::npos);

  CHECK(has_line(page, "hopwise_prober_stalls_total 2"));
  CHECK(has_line(page, "hopwise_prober_overflows_total 1"));
  CHECK(has_line(page, "hopwise_prober_unknown_replies_total 5"));
  CHECK(has_line(page, "hopwise_prober_rate{kind=\"wanted\"} 60"));
  CHECK(has_line(page, "hopwise_prober_rate{kind=\"actual\"} 45.2"));
  CHECK(has_line(page, "hopwise_prober_rate{kind=\"budget\"} 20000"));
  CHECK(has_line(page, "hopwise_prober_staged 1"));
  CHECK(has_line(page, "hopwise_stage_packets_total{result=\"too_big\"} 3"));
}

TEST_CASE("bandwidth says by which method it is known, and whether it is a bound") {
  const std::string page = example_page();
  const std::string name = "hopwise_nexthop_bandwidth_bytes_per_second{nexthop=\"isp-a\",";
  CHECK(has_line(page, name + "method=\"link\",bound=\"exact\"} 125000000"));
  CHECK(has_line(page, name + "method=\"passive_peak\",bound=\"lower\"} 10000000"));
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

namespace {

/// `count` nexthops with a path each in one group, one anchor and four pinned flows.
Status large(std::uint32_t count) {
  Status status = example_status();
  const NexthopStatus model = status.nexthops[1];
  GroupStatus group = status.groups[0];
  const PathStatus path = group.paths[0];
  group.paths.clear();
  PathLaw law = group.law->paths[0];
  group.law->paths.clear();
  status.nexthops.clear();
  for (std::uint32_t id = 1; id <= count; ++id) {
    NexthopStatus nexthop = model;
    nexthop.nexthop.id = nexthop.probes[0].nexthop = NexthopId{id};
    nexthop.nexthop.name = "192.0.2." + std::to_string(id) + "@eth1";
    nexthop.estimate = example_status().nexthops[0].estimate;
    nexthop.probes[0].flows.assign(4, {125, 1, std::chrono::milliseconds(20)});
    status.nexthops.push_back(nexthop);
    group.paths.push_back(path);
    group.paths.back().path.nexthop = law.nexthop = NexthopId{id};
    group.law->paths.push_back(law);
  }
  status.groups = {group};
  return status;
}

std::map<std::string, std::size_t> lines_of_families(const std::string& page) {
  std::map<std::string, std::size_t> counts;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);)
    if (line[0] != '#') ++counts[line.substr(0, line.find_first_of("{ "))];
  return counts;
}

}  // namespace

TEST_CASE("a thousand nexthops stay under the limit, and no family is there for some of them") {
  const Metrics metrics([] { return large(1000); });
  const std::string page = metrics.scrape();
  const auto families = lines_of_families(page);
  std::size_t all = 0;
  for (const auto& [name, lines] : families) {
    CAPTURE(name, lines);
    all += lines;
    const bool of_nexthops = name.starts_with("hopwise_nexthop_") ||
                             name.starts_with("hopwise_path_") ||
                             name.starts_with("hopwise_probe_");
    CHECK(lines % 1000 == (of_nexthops ? 0 : lines));
  }
  CHECK(all <= 10'010);
  for (const char* name : {"nexthop_up", "nexthop_rtt_seconds", "nexthop_loss_ratio",
                           "path_weight_ratio", "probe_sent_total", "probe_lost_total"}) {
    CAPTURE(name);
    CHECK(families.count(std::string("hopwise_") + name) == 1);
  }
  CHECK_FALSE(has_line(page, "hopwise_scrape_dropped_series 0"));
}

TEST_CASE("nothing is left out for some ninety nexthops") {
  const Metrics metrics([] { return large(90); });
  CHECK(has_line(metrics.scrape(), "hopwise_scrape_dropped_series 0"));
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

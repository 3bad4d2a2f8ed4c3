#include "core/metrics/metrics.hpp"
#include "test/catch.hpp"
#include "test/unit/api/example.hpp"

using namespace hopwise;

namespace {

std::string page_of(const SpeakerStatus& speaker) {
  return metrics::Metrics([&] {
           Status status = example_status();
           status.speaker = speaker;
           status.nexthops[1].bfd_down = true;
           return status;
         })
      .scrape();
}

}  // namespace

TEST_CASE("the routing daemon's health, divergences and BFD are on the page", "[speaker]") {
  const std::string page = page_of(example_speaker());
  for (const char* line :
       {"hopwise_speaker_info{kind=\"frr\"} 1",
        "hopwise_speaker_state{process=\"zebra\",state=\"dead\"} 1",
        "hopwise_speaker_state{process=\"zebra\",state=\"alive\"} 0",
        "hopwise_speaker_state{process=\"bgpd\",state=\"alive\"} 1",
        "hopwise_speaker_uptime_seconds{process=\"bgpd\"} 3600",
        "hopwise_speaker_restarts_total{process=\"zebra\"} 1",
        "hopwise_rib_fib_divergent{kind=\"missing\"} 1",
        "hopwise_rib_fib_divergent{kind=\"extra\"} 0", "hopwise_rib_fib_looks_total 40",
        "hopwise_bfd_session_up{peer=\"10.0.0.1\",interface=\"eth0\"} 1",
        "hopwise_bfd_session_up{peer=\"10.0.1.1\",interface=\"eth1\"} 0"})
    CHECK_THAT(page, Catch::Contains(line));
  CHECK_THAT(page, Catch::Contains("hopwise_nexthop_bfd_down{") && Catch::Contains("} 1"));
}

TEST_CASE("two BFD sessions to one peer by one interface are one series", "[speaker]") {
  SpeakerStatus speaker = example_speaker();
  speaker.bfd = {{*IpAddress::parse("10.0.0.1"), "eth0", BfdState::up},
                 {*IpAddress::parse("10.0.0.1"), "eth0", BfdState::down}};
  const std::string page = page_of(speaker);
  const std::string series = "hopwise_bfd_session_up{peer=\"10.0.0.1\",interface=\"eth0\"} ";
  CHECK_THAT(page, Catch::Contains(series + "1"));
  CHECK(page.find(series) == page.rfind(series));
}

TEST_CASE("without a routing daemon there is nothing of it on the page", "[speaker]") {
  const std::string page = page_of({});
  CHECK_THAT(page, !Catch::Contains("hopwise_speaker_state{"));
  CHECK_THAT(page, !Catch::Contains("hopwise_rib_fib_divergent{"));
}

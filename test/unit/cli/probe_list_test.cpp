#include "core/cli/probe_list.hpp"

#include <nlohmann/json.hpp>

#include "core/api/server.hpp"
#include "test/catch.hpp"
#include "test/unit/api/example.hpp"

using namespace hopwise;
using namespace hopwise::cli;
using namespace std::chrono_literals;

namespace {

std::string listed(const Status& status, const std::string& nexthop = "") {
  const auto list = list_probes(api::to_json(status, TimePoint(100s)), nexthop);
  INFO((list ? std::string() : list.error().message));
  REQUIRE(list.has_value());
  return *list;
}

std::string rendered(const Status& status, const std::string& nexthop = "",
                     FlowLines flows = FlowLines::hidden) {
  const auto text = render_probes(listed(status, nexthop), flows);
  INFO((text ? std::string() : text.error().message));
  REQUIRE(text.has_value());
  return *text;
}

std::string refusal(const Status& status, const std::string& nexthop) {
  const auto list = list_probes(api::to_json(status, TimePoint(100s)), nexthop);
  REQUIRE(list.has_error());
  return list.error().message;
}

}  // namespace

TEST_CASE("probers read as a table, with a line on all of them") {
  CHECK(
      rendered(example_status()) ==
      R"(NEXTHOP  ANCHOR                   KIND   STATE         RATE  SENT  ANSWERED  LOST  LATE  VOID                          PROVED  STAMPS              RTT   SPREAD  NOTE
isp-a    203.0.113.1              icmp   suspicious  20.0/s   500    98.2 %    10     1  10 (not_left 3, neighbour 7)  99.6 %  kernel 99.8 %  20.00 ms  3.50 ms  2 twice
isp-a    stamp://203.0.113.2:862  stamp  suspicious  20.0/s   500    98.2 %    10     1  10 (not_left 3, neighbour 7)  99.6 %  kernel 99.8 %  20.00 ms  3.50 ms  there 12.00 ms, back 8.00 ms, lost 9 there, 1 back, 2 twice, 4 forged
isp-a    https://203.0.113.3:443  https  unbound     0.20/s     0         -     0     0  0                                  -  -                     -        -  first byte 45.00 ms, 6 unsent, 1 refused, connect to 203.0.113.3: Connection refused
isp-b    203.0.113.1              icmp   probing      5.0/s   500    98.2 %    10     1  0                             99.6 %  kernel 99.8 %         -        -

4 probers, 45.2/s, 1500 sent, 98.2 % answered, 30 lost, 20 void, 1 unbound, the budget leaves 45.2/s of 60.0/s, staged, 2 stalls of this host, 1 overflows, 5 unknown replies
)");
}

TEST_CASE("pinned flows have their lines when they are asked for") {
  CHECK(
      rendered(example_status(), "isp-a", FlowLines::shown) ==
      R"(NEXTHOP  ANCHOR                   KIND   STATE         RATE  SENT  ANSWERED  LOST  LATE  VOID                          PROVED  STAMPS              RTT   SPREAD  NOTE
isp-a    203.0.113.1              icmp   suspicious  20.0/s   500    98.2 %    10     1  10 (not_left 3, neighbour 7)  99.6 %  kernel 99.8 %  20.00 ms  3.50 ms  2 twice
           flow 0                                             125               2                                                             20.00 ms
           flow 1                                             125               8                                                             23.50 ms
           flow 2                                             125               0                                                                    -
isp-a    stamp://203.0.113.2:862  stamp  suspicious  20.0/s   500    98.2 %    10     1  10 (not_left 3, neighbour 7)  99.6 %  kernel 99.8 %  20.00 ms  3.50 ms  there 12.00 ms, back 8.00 ms, lost 9 there, 1 back, 2 twice, 4 forged
           flow 0                                             125               2                                                             20.00 ms
           flow 1                                             125               8                                                             23.50 ms
           flow 2                                             125               0                                                                    -
isp-a    https://203.0.113.3:443  https  unbound     0.20/s     0         -     0     0  0                                  -  -                     -        -  first byte 45.00 ms, 6 unsent, 1 refused, connect to 203.0.113.3: Connection refused

3 probers, 40.2/s, 1000 sent, 98.2 % answered, 20 lost, 20 void, 1 unbound, the budget leaves 45.2/s of 60.0/s, staged, 2 stalls of this host, 1 overflows, 5 unknown replies
)");
}

TEST_CASE("only the probers of a nexthop are shown, by its name or gateway") {
  CHECK(rendered(example_status(), "isp-b").find("isp-a") == std::string::npos);
  CHECK(rendered(example_status(), "198.51.100.1") == rendered(example_status(), "isp-b"));
  CHECK(Json::parse(listed(example_status(), "isp-a")).at("probes").size() == 3);
}

TEST_CASE("a name of no nexthop is refused with those there are") {
  CHECK(refusal(example_status(), "isp-c") ==
        "\"isp-c\" is no nexthop (a name or a gateway: isp-a, isp-b)");
  CHECK(refusal(Status{}, "isp-a") ==
        "\"isp-a\" is no nexthop (there is none yet: no multipath route)");
}

TEST_CASE("the JSON has every prober under its nexthop's name, and the totals") {
  const Json list = Json::parse(listed(example_status()));
  CHECK(list.at("probing").at("rate_per_s") == 45.2);
  REQUIRE(list.at("probes").size() == 4);
  CHECK(list.at("probes")[0].at("nexthop") == "isp-a");
  CHECK(list.at("probes")[0].at("voids").at("neighbour") == 7);
  CHECK(list.at("probes")[3].at("nexthop") == "isp-b");
}

TEST_CASE("a prober that never sent anything, and none at all, are told without figures") {
  Status status;
  CHECK(rendered(status) == "0 probers, 0.0/s, 0 sent, - answered, 0 lost, 0 void\n");
  status = example_status();
  status.nexthops.resize(1);
  ProbeStatus idle;
  idle.nexthop = NexthopId{1};
  idle.anchor = *IpAddress::parse("203.0.113.1");
  status.nexthops[0].probes = {idle};
  const std::string page = rendered(status);
  CHECK(page.find("waiting") != std::string::npos);
  CHECK(page.find("nan") == std::string::npos);
}

TEST_CASE("an anchor that is to blame is said to be") {
  Status status = example_status();
  status.nexthops[0].probes[0].blamed = true;
  CHECK(rendered(status).find("anchor to blame: not counted") != std::string::npos);
}

TEST_CASE("a status of another shape is an error that suggests -j") {
  for (const char* answer : {"", "{}", "[]", "not JSON", R"({"nexthops": [{"name": 1}]})"}) {
    CAPTURE(answer);
    const auto list = list_probes(answer, "");
    REQUIRE(list.has_error());
    CHECK(list.error().message.find("status -j") != std::string::npos);
    CHECK(render_probes(answer, FlowLines::shown).has_error());
  }
}

TEST_CASE("of many probers in trouble the status tells the first few") {
  Status status = example_status();
  for (int i = 0; i < 9; ++i) status.nexthops[1].probes.push_back(status.nexthops[0].probes[2]);
  const Json whole = Json::parse(api::to_json(status, TimePoint(100s)));
  const std::string text = probes_summary(whole.at("nexthops"), whole.at("probing"));
  CHECK(std::count(text.begin(), text.end(), '\n') == 7);
  CHECK(text.find("and 6 more: `hopwise probes`") != std::string::npos);
  CHECK(probes_summary(Json::array(), whole.at("probing")).empty());
}

// A black hole beyond the first hop: the daemon itself traces where the way breaks.
#include <nlohmann/json.hpp>

#include "test/catch.hpp"
#include "test/e2e/router.hpp"

using namespace hopwise;
using namespace hopwise::e2e;

TEST_CASE("the daemon's own trace of a path that goes down names the last hop that answers",
          "[e2e][trace]") {
  lab::Topology topology = two_upstreams();
  topology.router = lab::Daemon::none;
  for (auto& upstream : topology.upstreams) upstream.daemon = lab::Daemon::none;
  Router router(topology);
  router.start(config_with_anchors(router.lab()));
  router.lab().relay().set(router.lab().core_link(0), {.loss = 1});

  const auto traced = [&](const std::string& nexthop) -> Json {
    const auto all = router.lab().api_get("/api/v1/traces");
    REQUIRE(all.has_value());
    const Json list = Json::parse(*all);
    for (const Json& trace : list["traces"])
      if (trace["nexthop"] == nexthop && trace["because"] == "path_down" && trace["ended"] == true)
        return trace;
    return nullptr;
  };
  for (const auto& [nexthop, last] :
       {std::pair<std::string, std::string>{"isp-a", "10.99.0.2"}, {"isp-a-v6", "fd00:99:0::2"}}) {
    INFO(nexthop);
    CHECK(lab::eventually(20s, [&, name = nexthop] { return !traced(name).is_null(); }));
    const Json trace = traced(nexthop);
    INFO(router.daemon().log());
    REQUIRE(!trace.is_null());
    INFO(trace.dump(2));
    CHECK(trace["reached"] == false);
    REQUIRE(trace["hops"].size() == 2);
    REQUIRE(trace["hops"][0]["answers"].size() == 1);
    CHECK(IpAddress::parse(trace["hops"][0]["answers"][0]["from"].get<std::string>()) ==
          IpAddress::parse(last));
    CHECK(trace["hops"][1]["answers"].empty());
    CHECK(trace["verdict"].get<std::string>().starts_with("nothing answers behind "));
  }
  INFO(router.daemon().log());
  CHECK(router.daemon().log().find("event=trace id=") != std::string::npos);
  CHECK(router.daemon().log().find("last_hop=10.99.0.2 distance=1") != std::string::npos);

  const auto trace = [&](std::vector<std::string> line) {
    line.insert(line.begin(), {"trace", "-s", router.lab().hopwise_socket()});
    return router.hopwise(line);
  };
  const auto reached = trace({"isp-b", lab::kAnchor4, "-q", "2"});
  INFO(reached.output);
  CHECK(reached.status == 0);
  CHECK(reached.output.find("10.99.1.2") != std::string::npos);
  CHECK(reached.output.find("reached at hop 2") != std::string::npos);
  CHECK(trace({"isp-a", lab::kAnchor4, "-q", "1"}).status == 1);
  CHECK(trace({"isp-x", lab::kAnchor4}).status == 2);
  const auto list = trace({});
  CHECK(list.status == 0);
  CHECK(list.output.find("path_down") != std::string::npos);
}

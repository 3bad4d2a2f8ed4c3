#include "core/cli/route_list.hpp"

#include <sstream>
#include <vector>

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::cli;

namespace {

/// A daemon that answers with these pages in turn.
struct Daemon {
  std::vector<api::Reply> pages;
  std::vector<std::string> asked{};
  std::ostringstream out{}, err{};

  int run(const RouteLine& line) {
    return run_routes(
        line, {.ask = [this](const std::string&, const std::string& target) -> Result<api::Reply> {
                 asked.push_back(target);
                 if (asked.size() > pages.size()) return Error{"no daemon runs"};
                 return pages[asked.size() - 1];
               },
               .out = out,
               .err = err});
  }
};

const std::string kSteered =
    R"({"counted":2,"next":"203.0.113.0/24","groups":[{"id":3,"nexthops":[)"
    R"({"nexthop":"isp-a","kernel_weight":1},{"nexthop":"isp-b","kernel_weight":4},)"
    R"({"nexthop":"isp-c","kernel_weight":0}]}],"routes":[{"prefix":"198.51.100.0/24","group":3},)"
    R"({"prefix":"203.0.113.0/24","group":3,"promoted_below":"203.0.0.0/16"}]})";
const std::string kKernels =
    R"({"counted":2,"next":null,"groups":[],"routes":[{"prefix":"2001:db8::/32","group":null,)"
    R"("because":"one nexthop","nexthops":[{"nexthop":"fe80::1@eth1","kernel_weight":1}]},)"
    R"({"prefix":"2001:db8:1::/48","group":null,"because":"excluded by the configuration",)"
    R"("nexthops":[]}]})";
const std::string kNone = R"({"counted":0,"next":null,"groups":[],"routes":[]})";

}  // namespace

TEST_CASE("routes come page by page, each on a line") {
  Daemon daemon{.pages = {{200, kSteered}, {200, kKernels}}};
  CHECK(daemon.run({}) == 0);
  CHECK(daemon.asked == std::vector<std::string>{"/api/v1/routes?limit=500",
                                                 "/api/v1/routes?limit=500&after=203.0.113.0/24"});
  CHECK(daemon.out.str() ==
        "198.51.100.0/24  group 3: isp-a, isp-b x4, isp-c (candidate)\n"
        "203.0.113.0/24  group 3: isp-a, isp-b x4, isp-c (candidate)  (a destination with weights "
        "of its own, by route 203.0.0.0/16)\n"
        "2001:db8::/32  kernel, one nexthop: fe80::1@eth1\n"
        "2001:db8:1::/48  kernel, excluded by the configuration\n");
}

TEST_CASE("as JSON each line is one route with its nexthops") {
  Daemon daemon{.pages = {{200, kKernels}}};
  RouteLine line;
  line.json = true;
  CHECK(daemon.run(line) == 0);
  CHECK(daemon.out.str() ==
        "{\"prefix\":\"2001:db8::/32\",\"group\":null,\"because\":\"one nexthop\",\"nexthops\":"
        "[{\"nexthop\":\"fe80::1@eth1\",\"kernel_weight\":1}]}\n"
        "{\"prefix\":\"2001:db8:1::/48\",\"group\":null,\"because\":\"excluded by the "
        "configuration\",\"nexthops\":[]}\n");
}

TEST_CASE("the line of routes becomes the question") {
  Daemon daemon{.pages = {{200, kKernels}}};
  RouteLine line;
  SECTION("an address: its longest match") {
    line.where = "203.0.113.9";
    CHECK(daemon.run(line) == 0);
    CHECK(daemon.asked[0] == "/api/v1/routes?limit=500&match=203.0.113.9");
  }
  SECTION("a prefix: exactly that") {
    line.where = "203.0.113.0/24";
    CHECK(daemon.run(line) == 0);
    CHECK(daemon.asked[0] == "/api/v1/routes?limit=500&prefix=203.0.113.0/24");
  }
  SECTION("what is below") {
    line.where = "203.0.0.0/16";
    line.longer = true;
    line.family = "v4";
    line.group = "3";
    line.nexthop = "isp a";
    line.left_to_kernel = true;
    line.limit = "7";
    CHECK(daemon.run(line) == 0);
    CHECK(daemon.asked[0] ==
          "/api/v1/routes?limit=7&within=203.0.0.0/16&family=v4&group=3&nexthop=isp%20a"
          "&shown=kernel");
  }
}

TEST_CASE("a limit holds over pages") {
  Daemon daemon{.pages = {{200, kSteered}, {200, kSteered}, {200, kSteered}}};
  RouteLine line;
  line.limit = "4";
  CHECK(daemon.run(line) == 0);
  CHECK(daemon.asked.size() == 2);
  CHECK(daemon.asked[1] == "/api/v1/routes?limit=2&after=203.0.113.0/24");
}

TEST_CASE("counting asks for no route, and adds up the pages") {
  Daemon daemon{.pages = {{200, R"({"counted":20000,"next":"10.0.0.0/8","groups":[],"routes":[]})"},
                          {200, R"({"counted":7,"next":null,"groups":[],"routes":[]})"}}};
  RouteLine line;
  line.count = true;
  CHECK(daemon.run(line) == 0);
  CHECK(daemon.asked[0] == "/api/v1/routes?limit=500&count=only");
  CHECK(daemon.out.str() == "20007\n");
}

TEST_CASE("what cannot be told has its own status and words") {
  Daemon daemon{.pages = {{200, kNone}}};
  RouteLine line;
  SECTION("no match") {
    line.where = "203.0.113.9";
    CHECK(daemon.run(line) == 1);
    CHECK(daemon.err.str().find("no route that hopwise knows covers 203.0.113.9") !=
          std::string::npos);
  }
  SECTION("no daemon") {
    daemon.pages.clear();
    CHECK(daemon.run(line) == 1);
    CHECK(daemon.err.str() == "hopwise: no daemon runs\n");
  }
  SECTION("no such nexthop") {
    daemon.pages = {{404, R"x({"error": "no nexthop \"x\" (there are: isp-a)"})x"}};
    CHECK(daemon.run(line) == 1);
    CHECK(daemon.err.str() == "hopwise: no nexthop \"x\" (there are: isp-a)\n");
  }
  SECTION("another version's answer") {
    daemon.pages = {{200, "{}"}};
    CHECK(daemon.run(line) == 1);
  }
  SECTION("wrong lines") {
    line.where = "203.0.113.9/24";
    CHECK(daemon.run(line) == 2);
    line = {};
    line.longer = true;
    CHECK(daemon.run(line) == 2);
    line = {};
    line.limit = "0";
    CHECK(daemon.run(line) == 2);
    line = {};
    line.group = "x";
    CHECK(daemon.run(line) == 2);
    CHECK(daemon.asked.empty());
  }
}

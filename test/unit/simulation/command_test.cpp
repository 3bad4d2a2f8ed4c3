// `hopwise simulate` as people call it: what it prints, and with which status it ends.
#include <sstream>

#include "core/cli/simulate.hpp"
#include "test/catch.hpp"

using namespace hopwise::cli;

namespace {

struct Said {
  int status = 0;
  std::string out;
  std::string err;
};

Said say(const SimulateLine& line) {
  std::ostringstream out;
  std::ostringstream err;
  const int status = run_simulate(line, out, err);
  return {status, out.str(), err.str()};
}

const std::string kSmall = HOPWISE_SOURCE_DIR "/test/sim/small_demand.json";

}  // namespace

TEST_CASE("a scenario is played by those asked for alone", "[simulation]") {
  const Said said = say({.scenario = kSmall, .only = {"ecmp", "greedy"}});
  CHECK(said.status == 0);
  CHECK(said.out.find("small demand, seed 1") == 0);
  CHECK(said.out.find("greedy") != std::string::npos);
  CHECK(said.out.find("texcp") == std::string::npos);
  CHECK(said.err == "simulating ecmp\nsimulating greedy\n");
}

TEST_CASE("another seed is another run", "[simulation]") {
  const Said one = say({.scenario = kSmall, .only = {"ecmp"}, .json = true});
  const Said same = say({.scenario = kSmall, .only = {"ecmp"}, .seed = "1", .json = true});
  const Said other = say({.scenario = kSmall, .only = {"ecmp"}, .seed = "2", .json = true});
  CHECK(one.out == same.out);
  CHECK(one.out != other.out);
}

TEST_CASE("a line that cannot be played ends with status 2 and a remedy", "[simulation]") {
  const Said seed = say({.scenario = kSmall, .seed = "x"});
  CHECK(seed.status == 2);
  CHECK(seed.err == "hopwise: --seed: \"x\" is no whole number (write --seed 7)\n");
  const Said name = say({.scenario = kSmall, .only = {"magic"}});
  CHECK(name.status == 2);
  CHECK(name.err.find("hopwise: --only: \"magic\" is no controller (known: ") == 0);
  const Said file = say({.scenario = "/nowhere/x.json"});
  CHECK(file.status == 2);
  CHECK(file.err.find("hopwise: read /nowhere/x.json: ") == 0);
  const Said plot = say({.scenario = kSmall, .plot = "x.doc"});
  CHECK(plot.status == 2);
}

TEST_CASE("a picture that cannot be written ends with status 1", "[simulation]") {
  const Said said = say({.scenario = kSmall, .only = {"ecmp"}, .plot = "/nowhere/x.svg"});
  CHECK(said.status == 1);
  CHECK(said.err.find("hopwise: write /nowhere/x.svg: cannot be written") != std::string::npos);
}

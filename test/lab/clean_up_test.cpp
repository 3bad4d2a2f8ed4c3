// Nothing of a lab is left when it ends, whichever way it ends.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "test/catch.hpp"
#include "test/lab/lab.hpp"

using namespace hopwise;
using namespace hopwise::lab;
using namespace std::chrono_literals;

namespace {

Topology two() {
  return {.upstreams = {{"isp-a", Daemon::frr, {}}, {"isp-b", Daemon::bird, {}}},
          .router = Daemon::frr,
          .wan = Wan::shared};
}

// What a lab of process `owner` has on the machine: namespaces, FRR's sockets.
std::vector<std::string> traces(pid_t owner) {
  const std::string mine = "hw" + std::to_string(owner) + "-";
  std::vector<std::string> found;
  for (const char* folder : {"/run/netns", "/var/run/frr"})
    for (const auto& entry : std::filesystem::directory_iterator(folder))
      if (entry.path().filename().string().starts_with(mine)) found.push_back(entry.path());
  return found;
}

// Every process inside: daemons, and what was started with start().
std::vector<pid_t> inhabitants(pid_t owner) {
  std::vector<pid_t> pids;
  for (const auto& path : traces(owner)) {
    if (!path.starts_with("/run/netns")) continue;
    const auto name = std::filesystem::path(path).filename().string();
    std::istringstream lines(run({"ip", "netns", "pids", name}).value());
    for (pid_t pid = 0; lines >> pid;) pids.push_back(pid);
  }
  return pids;
}

// A zombie whose new parent is slow to reap has no memory any more.
bool alive(pid_t pid) {
  std::ifstream statm("/proc/" + std::to_string(pid) + "/statm");
  unsigned long pages = 0;
  return statm >> pages && pages > 0;
}

}  // namespace

TEST_CASE("closing a lab leaves nothing behind") {
  std::vector<pid_t> pids;
  std::filesystem::path folder;
  {
    auto lab = Lab::open(two()).value();
    auto idle = lab->start(lab->client(), {"sleep", "1000"}, "sleep").value();
    // A daemon that left its parent, as many do.
    lab->client().run({"sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 &"}).value();
    folder = lab->folder();
    pids = inhabitants(::getpid());
    CHECK(pids.size() == 7);  // zebra and bgpd twice, bird, two sleeps
    CHECK(std::filesystem::exists(folder));
  }
  CHECK(traces(::getpid()).empty());
  CHECK_FALSE(std::filesystem::exists(folder));
  for (const pid_t pid : pids) CHECK_FALSE(alive(pid));
}

TEST_CASE("a lab whose process is killed leaves nothing behind") {
  int ready[2];
  REQUIRE(::pipe2(ready, O_CLOEXEC) == 0);
  const pid_t owner = ::fork();
  if (owner == 0) {
    auto lab = Lab::open(two());
    auto idle = lab.value()->start((*lab)->client(), {"sleep", "1000"}, "sleep");
    const std::string folder = (*lab)->folder();
    if (::write(ready[1], folder.data(), folder.size()) > 0) ::pause();
    ::_exit(1);
  }
  ::close(ready[1]);
  char folder[256] = {};
  REQUIRE(::read(ready[0], folder, sizeof(folder) - 1) > 0);
  const auto pids = inhabitants(owner);
  CHECK(pids.size() == 6);
  ::kill(owner, SIGKILL);
  ::waitpid(owner, nullptr, 0);
  ::close(ready[0]);
  CHECK(eventually(20s, [&] { return traces(owner).empty(); }));
  CHECK(eventually(20s, [&] { return !std::filesystem::exists(folder); }));
  for (const pid_t pid : pids) CHECK(eventually(5s, [&] { return !alive(pid); }));
}

TEST_CASE("a lab that cannot be finished leaves nothing behind") {
  // Its namespace "server" is taken.
  auto taken = Namespace::create("server").value();
  const auto failed = Lab::open(two());
  REQUIRE(failed.has_error());
  CHECK(failed.error().message.find("exists") != std::string::npos);
  CHECK(traces(::getpid()).size() == 1);
  taken.ip("link show lo").value();
}

TEST_CASE("a program that is not there is an error at its start") {
  auto where = Namespace::create("nothing").value();
  const auto failed = Process::start(where, {"hopwise-no-such-program"}, "/dev/null");
  REQUIRE(failed.has_error());
  CHECK(failed.error().message == "start hopwise-no-such-program: No such file or directory");
}

TEST_CASE("a process tells how it ended") {
  auto where = Namespace::create("ends").value();
  auto seven = Process::start(where, {"sh", "-c", "exit 7"}, "/dev/null").value();
  CHECK(seven.wait(5s) == 7);
  auto sleep = Process::start(where, {"sleep", "1000"}, "/dev/null").value();
  CHECK(sleep.running());
  CHECK_FALSE(sleep.wait(10ms).has_value());
  CHECK(sleep.stop() == 128 + SIGTERM);
  CHECK_FALSE(sleep.running());
}

TEST_CASE("an error of ip names the line") {
  auto where = Namespace::create("line").value();
  const auto failed = where.ip("link set lo up\nlink set nowhere up\nlink set lo down");
  REQUIRE(failed.has_error());
  CHECK(failed.error().message.find("ip link set nowhere up: ") != std::string::npos);
}

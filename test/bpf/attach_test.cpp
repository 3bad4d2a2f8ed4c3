// Programs on real interfaces: attached, put back, and replaced by the next daemon's.
#include <net/if.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "core/dataplane/pins.hpp"
#include "test/bpf/interfaces.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::test;
using dataplane::HookChoice;
using dataplane::Role;
namespace fs = std::filesystem;

namespace {

// Another network namespace, as long as this lives.
class Elsewhere {
 public:
  Elsewhere() : child_(fork()) {
    if (child_ != 0) return;
    if (unshare(CLONE_NEWNET) != 0) _exit(1);
    for (;;) pause();
  }
  ~Elsewhere() {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }
  Elsewhere(const Elsewhere&) = delete;
  Elsewhere& operator=(const Elsewhere&) = delete;
  [[nodiscard]] std::string pid() const {
    const auto space = [](const std::string& process) {
      return fs::read_symlink("/proc/" + process + "/ns/net");
    };
    while (space(std::to_string(child_)) == space("thread-self")) usleep(1000);
    return std::to_string(child_);
  }

 private:
  pid_t child_;
};

}  // namespace

TEST_CASE("attachments become exactly what is wanted, and detach leaves nothing", "[bpf]") {
  const auto hook = GENERATE(HookChoice::automatic, HookChoice::clsact);
  const std::string by = hook == HookChoice::automatic && has_tcx() ? " tcx; " : " clsact; ";
  Router router(with(hook));
  make_veth("lan0");
  make_veth("wan0");
  auto& dataplane = router.dataplane();
  CHECK(dataplane.attach({on("lan0", Role::lan), on("wan0", Role::wan)}).empty());
  CHECK(describe(dataplane::find_hooks()) == "steer lan0" + by + "observe wan0" + by);
  REQUIRE(dataplane.attachments().size() == 2);
  CHECK(dataplane.attachments()[0].role == "lan");

  SECTION("what is wanted again stays, what is not goes") {
    CHECK(dataplane.attach({on("wan0", Role::wan)}).empty());
    CHECK(describe(dataplane::find_hooks()) == "observe wan0" + by);
  }
  SECTION("an interface that changes its role changes its program") {
    CHECK(dataplane.attach({on("lan0", Role::wan), on("wan0", Role::wan)}).empty());
    CHECK(describe(dataplane::find_hooks()) == "observe lan0" + by + "observe wan0" + by);
  }
  SECTION("an interface that came back is attached again") {
    PrivateNamespace::run("ip link del lan0");
    make_veth("lan0");
    CHECK(dataplane.attach({on("lan0", Role::lan), on("wan0", Role::wan)}).empty());
    CHECK(describe(dataplane::find_hooks()) == "observe wan0" + by + "steer lan0" + by);
  }
  SECTION("an interface that came back with its old number is attached again") {
    const std::string number = std::to_string(if_nametoindex("lan0"));
    PrivateNamespace::run("ip link del lan0");
    PrivateNamespace::run("ip link add lan0 index " + number + " type veth peer name lan0-peer");
    CHECK(dataplane.attach({on("lan0", Role::lan), on("wan0", Role::wan)}).empty());
    CHECK(describe(dataplane::find_hooks()) == "steer lan0" + by + "observe wan0" + by);
  }
  SECTION("one that took the number of another, which lives on elsewhere, is attached") {
    const std::string number = std::to_string(if_nametoindex("lan0"));
    const Elsewhere elsewhere;
    PrivateNamespace::run("ip link set lan0 netns " + elsewhere.pid());
    PrivateNamespace::run("ip link add lan0 index " + number + " type veth peer name lan0-new");
    CHECK(dataplane.attach({on("lan0", Role::lan), on("wan0", Role::wan)}).empty());
    CHECK(dataplane.attachments().size() == 2);
    CHECK(describe(dataplane::find_hooks()) == "steer lan0" + by + "observe wan0" + by);
  }
  SECTION("one that cannot be attached is reported and the others go on") {
    PrivateNamespace::run("ip tuntap add tun0 mode tun");
    const auto errors =
        dataplane.attach({on("tun0", Role::lan), on("wan0", Role::wan), on("lan0", Role::lan)});
    REQUIRE(errors.size() == 1);
    CHECK(errors[0].message.starts_with("attach steer to tun0: no Ethernet device"));
    CHECK(dataplane.attachments().size() == 2);
  }
  SECTION("one that has gone is no error, and no attachment") {
    const std::vector wanted{on("lan0", Role::lan), on("wan0", Role::wan)};
    PrivateNamespace::run("ip link del lan0");
    REQUIRE(dataplane.attachments().size() == 1);
    CHECK(dataplane.attachments()[0].name == "wan0");
    CHECK(dataplane.attach(wanted).empty());
    CHECK(dataplane.attachments().size() == 1);
  }
  SECTION("after a crash detach still finds everything") {
    router.crash();
  }
  expect_nothing_left(router);
}

TEST_CASE("one interface takes several roles, each with a hook of its own", "[bpf]") {
  const auto hook = GENERATE(HookChoice::automatic, HookChoice::clsact);
  const std::string by = hook == HookChoice::automatic && has_tcx() ? " tcx; " : " clsact; ";
  Router router(with(hook));
  make_veth("stick0");
  const std::vector wanted{on("stick0", Role::lan), on("stick0", Role::wan),
                           on("stick0", Role::lan_return)};
  const std::string all =
      "steer stick0" + by + "observe stick0" + by + "observe stick0 egress" + by;
  CHECK(router.dataplane().attach(wanted).empty());
  CHECK(describe(dataplane::find_hooks()) == all);
  const auto before = dataplane::find_hooks();
  REQUIRE(router.dataplane().attachments().size() == 3);
  CHECK(router.dataplane().attachments()[2].role == "lan_return");

  SECTION("one of them ends and the others stay") {
    CHECK(router.dataplane().attach({wanted[1], wanted[2]}).empty());
    CHECK(describe(dataplane::find_hooks()) ==
          "observe stick0" + by + "observe stick0 egress" + by);
    CHECK(router.dataplane().attach({wanted[2]}).empty());
    CHECK(describe(dataplane::find_hooks()) == "observe stick0 egress" + by);
  }
  SECTION("one of them is taken off by somebody else, and put back") {
    REQUIRE(dataplane::remove_hook(before.at(2)));
    REQUIRE(router.dataplane().attachments().size() == 2);
    CHECK(router.dataplane().attach(wanted).empty());
    CHECK(describe(dataplane::find_hooks()) == all);
  }
  SECTION("the next daemon takes over each") {
    router.restart();
    CHECK(router.dataplane().attach(wanted).empty());
    const auto after = dataplane::find_hooks();
    REQUIRE(after.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) CHECK(after[i].link_id == before[i].link_id);
  }
  SECTION("a crash leaves them all") {
    router.crash();
    CHECK(describe(dataplane::find_hooks()) == all);
  }
  expect_nothing_left(router);
}

TEST_CASE("the next daemon replaces the programs in place", "[bpf]") {
  const auto first = GENERATE(HookChoice::automatic, HookChoice::clsact);
  Router router(with(first));
  make_veth("lan0");
  make_veth("wan0");
  const std::vector wanted{on("lan0", Role::lan), on("wan0", Role::wan)};
  CHECK(router.dataplane().attach(wanted).empty());
  const auto before = dataplane::find_hooks();
  router.restart();
  CHECK(describe(dataplane::find_hooks()) == describe(before));
  CHECK(router.dataplane().attach(wanted).empty());
  const auto after = dataplane::find_hooks();
  CHECK(describe(after) == describe(before));
  CHECK(after.at(0).link_id == before.at(0).link_id);  // the same link, updated
  expect_nothing_left(router);
}

TEST_CASE("a daemon that no longer wants an interface frees it of the old one's program", "[bpf]") {
  const auto hook = GENERATE(HookChoice::automatic, HookChoice::clsact);
  Router router(with(hook));
  make_veth("lan0");
  make_veth("lan1");
  CHECK(router.dataplane().attach({on("lan0", Role::lan), on("lan1", Role::lan)}).empty());
  router.restart();
  CHECK(router.dataplane().attach({on("lan1", Role::lan)}).empty());
  REQUIRE(dataplane::find_hooks().size() == 1);
  CHECK(dataplane::find_hooks()[0].interface == "lan1");
  expect_nothing_left(router);
}

TEST_CASE("hooks that somebody else removed are attached again", "[bpf]") {
  const auto hook = GENERATE(HookChoice::automatic, HookChoice::clsact);
  Router router(with(hook));
  make_veth("lan0");
  make_veth("wan0");
  const std::vector wanted{on("lan0", Role::lan), on("wan0", Role::wan)};
  auto& dataplane = router.dataplane();
  CHECK(dataplane.attach(wanted).empty());
  const auto before = dataplane::find_hooks();
  REQUIRE(before.size() == 2);

  SECTION("nothing is touched while they are there") {
    CHECK(dataplane.attach(wanted).empty());
    CHECK(dataplane::find_hooks().at(0).link_id == before.at(0).link_id);
  }
  SECTION("the program was detached") {
    REQUIRE(dataplane::remove_hook(before.at(0)));
    REQUIRE(dataplane.attachments().size() == 1);
    CHECK(dataplane.attachments()[0].name == "wan0");
  }
  SECTION("the qdisc was deleted") {
    if (hook == HookChoice::clsact) {
      PrivateNamespace::run("tc qdisc del dev lan0 clsact");
      CHECK(dataplane.attachments().size() == 1);
    }
  }
  SECTION("all was detached, pins and folders too") {
    REQUIRE(dataplane::detach_all(router.pin_root()).has_value());
    CHECK(dataplane.attachments().empty());
  }
  CHECK(dataplane.attach(wanted).empty());
  CHECK(describe(dataplane::find_hooks()) == describe(before));
  CHECK(dataplane.attachments().size() == 2);
  expect_nothing_left(router);
}

TEST_CASE("pins that somebody removed are put back, for the next daemon to find", "[bpf]") {
  const auto hook = GENERATE(HookChoice::automatic, HookChoice::clsact);
  Router router(with(hook));
  make_veth("lan0");
  const std::vector wanted{on("lan0", Role::lan)};
  router.two_upstreams();
  CHECK(router.dataplane().attach(wanted).empty());
  const auto before = dataplane::find_hooks();
  PrivateNamespace::run("rm -r " + router.pin_root());
  CHECK(router.dataplane().attachments().size() == 1);  // the program itself is still there
  CHECK(router.dataplane().attach(wanted).empty());

  router.restart();
  CHECK(describe(dataplane::find_hooks()) == describe(before));
  CHECK(dataplane::find_hooks().at(0).link_id == before.at(0).link_id);
  CHECK(router.dataplane().adopted().groups.size() == 2);
  CHECK(router.dataplane().attach(wanted).empty());
  expect_nothing_left(router);
}

TEST_CASE("what could not be attached is tried again by the next call", "[bpf]") {
  if (!has_tcx()) return;
  Router router;
  make_veth("lan0");
  const std::vector wanted{on("lan0", Role::lan)};
  const fs::path folder = fs::directory_iterator(router.pin_root())->path() / dataplane::abi_name();
  const fs::path pin = folder / ("lan-" + std::to_string(wanted[0].ifindex));
  fs::create_directory(pin);  // in the pin's place, where no link can be pinned
  REQUIRE(router.dataplane().attach(wanted).size() == 1);
  CHECK(router.dataplane().attachments().empty());
  fs::remove(pin);
  CHECK(router.dataplane().attach(wanted).empty());
  CHECK(router.dataplane().attachments().size() == 1);
  expect_nothing_left(router);
}

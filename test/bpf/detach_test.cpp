// Detaching: what goes, what of others stays, and what a dead namespace or an older hopwise left.
#include <bpf/bpf.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "core/dataplane/pins.hpp"
#include "test/bpf/interfaces.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::test;
using dataplane::Dataplane;
using dataplane::HookChoice;
using dataplane::Role;
namespace fs = std::filesystem;

TEST_CASE("detach leaves the clsact qdisc and the filters of others", "[bpf]") {
  Router router(with(HookChoice::clsact));
  make_veth("lan0");
  PrivateNamespace::run("tc qdisc add dev lan0 clsact");
  PrivateNamespace::run(
      "tc filter add dev lan0 ingress prio 7 protocol ip u32 match u32 0 0 flowid 1:1");
  CHECK(router.dataplane().attach({on("lan0", Role::lan)}).empty());
  expect_nothing_left(router);
  PrivateNamespace::run("tc filter show dev lan0 ingress | grep -q 'pref 7'");
}

TEST_CASE("folders of an older ABI go once the new programs are attached", "[bpf]") {
  Router router;
  const fs::path old = *fs::directory_iterator(router.pin_root()) / fs::path("v0");
  fs::create_directory(old);
  CHECK(router.dataplane().attach({}).empty());
  CHECK_FALSE(fs::exists(old));
}

TEST_CASE("folders of namespaces that are gone are removed, and no living one's", "[bpf]") {
  if (!has_tcx()) return;
  const bool by_start = GENERATE(false, true);
  const std::string root = "/sys/fs/bpf/hopwise-test-" + std::to_string(getpid());
  Router living;
  make_veth("lan0");
  CHECK(living.dataplane().attach({on("lan0", Role::lan)}).empty());
  dataplane::Options options;
  options.pin_root = root;
  {
    PrivateNamespace gone;
    make_veth("lan0");
    auto dead = Dataplane::open(options);
    REQUIRE(dead.has_value());
    CHECK((*dead)->attach({on("lan0", Role::lan)}).empty());
  }
  const auto folders = [&] {
    return std::distance(fs::directory_iterator(root), fs::directory_iterator());
  };
  REQUIRE(folders() == 2);
  const std::ptrdiff_t left = by_start ? 2 : 1;  // a start makes a folder of its own
  // A namespace is taken apart some time after its last user left.
  const auto deadline = Router::now() + std::chrono::seconds(10);
  {
    PrivateNamespace elsewhere;
    do {
      if (by_start)
        REQUIRE(Dataplane::open(options).has_value());
      else
        REQUIRE(dataplane::detach_all(root).has_value());
      usleep(20'000);
    } while (folders() > left && Router::now() < deadline);
    CHECK(folders() == left);
    REQUIRE(dataplane::detach_all(root).has_value());
    CHECK(folders() == 1);
  }
  CHECK(living.dataplane().attachments().size() == 1);
}

TEST_CASE("detach counts what it removed, and goes on after what it could not", "[bpf]") {
  const std::string root = "/sys/fs/bpf/hopwise-test-" + std::to_string(getpid());
  const fs::path folder = fs::path(root) / "pins", mounted = folder / "v0", later = folder / "v1";
  fs::create_directories(mounted);
  fs::create_directories(later);
  const auto pin = [](const fs::path& path) {
    const int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "any", 4, 8, 1, nullptr);
    CHECK(bpf_obj_pin(map, path.c_str()) == 0);
    close(map);
  };
  pin(folder / "a");
  pin(later / "b");
  PrivateNamespace::run("mount -t tmpfs none " + mounted.string());  // busy: cannot be removed
  const auto partly = dataplane::remove_pins(folder);
  PrivateNamespace::run("umount " + mounted.string());
  CHECK(partly.pins == 2);
  REQUIRE(partly.error);
  CHECK(partly.error->message.starts_with("remove " + mounted.string() + ": "));
  CHECK_FALSE(fs::exists(later));
  const auto rest = dataplane::remove_pins(folder);
  CHECK(rest.pins == 0);
  CHECK_FALSE(rest.error);
  CHECK_FALSE(fs::exists(folder));
  CHECK_FALSE(dataplane::remove_pins(folder).error);
  fs::remove(root);
}

TEST_CASE("without privileges detach says so and removes nothing", "[bpf]") {
  Router router;
  make_veth("lan0");
  CHECK(router.dataplane().attach({on("lan0", Role::lan)}).empty());
  PrivateNamespace::run("chmod -R a+rX " + router.pin_root());
  const pid_t child = fork();
  if (child == 0) {
    const bool dropped = setgid(65534) == 0 && setuid(65534) == 0;
    const auto removed = dataplane::detach_all(router.pin_root());
    const bool honest = !removed && removed.error().message.find("removed") == std::string::npos;
    _exit(dropped && honest ? 0 : 1);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  CHECK(router.dataplane().attachments().size() == 1);
  expect_nothing_left(router);
}

TEST_CASE("without a pin folder everything ends with the process", "[bpf]") {
  PrivateNamespace here;
  make_veth("lan0");
  dataplane::Options options;
  options.pin_root.clear();
  options.hook = GENERATE(HookChoice::automatic, HookChoice::clsact);
  {
    auto dataplane = Dataplane::open(options);
    REQUIRE(dataplane.has_value());
    CHECK((*dataplane)->attach({on("lan0", Role::lan)}).empty());
    CHECK(dataplane::find_hooks().size() == 1);
  }
  CHECK(dataplane::find_hooks().empty());
}

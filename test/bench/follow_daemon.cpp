// The daemon of a FollowRouter, watched from outside: sd_notify, /proc, and its tables' pins.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>
#include <stdexcept>

#include "core/dataplane/pins.hpp"
#include "test/bench/follow_router.hpp"
#include "test/bench/visit.hpp"

namespace hopwise::bench {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr auto kPatience = std::chrono::seconds(120);

// Beside this program: both are of one build.
fs::path daemon_binary() {
  return fs::read_symlink("/proc/self/exe").parent_path() / "hopwise";
}

dataplane::Handle listen_at(const fs::path& path) {
  dataplane::Handle socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.string().copy(address.sun_path, sizeof(address.sun_path) - 1);
  unlink(path.c_str());
  timeval patience{.tv_sec = 1, .tv_usec = 0};
  setsockopt(socket.fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  if (!socket || bind(socket.fd(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
    throw std::runtime_error(system_error("listen at " + path.string(), errno).message);
  return socket;
}

std::string configuration(const FollowRouter& router) {
  return R"({"lan_interfaces": ["lan0"], "api": {"listen": "", "socket": ")" +
         (router.folder() / "hopwise.sock").string() +
         R"("}, "state": {"file": ""}, "history": {"file": ""},
         "dataplane": {"actuator": "redirect", "pin_root": ")" +
         router.pin_root() + "\"}}";
}

}  // namespace

lab::Process FollowDaemon::start(const FollowRouter& router, const std::string& notify) {
  const fs::path config = router.folder() / "hopwise.json";
  std::ofstream(config) << configuration(router);
  fs::remove(router.folder() / "hopwise.log");
  setenv("NOTIFY_SOCKET", notify.c_str(), 1);
  auto process = lab::Process::start(router.router(), {daemon_binary(), "run", "--config", config},
                                     router.folder() / "hopwise.log");
  unsetenv("NOTIFY_SOCKET");
  return std::move(process.value());
}

FollowDaemon::FollowDaemon(const FollowRouter& router)
    : notify_path_(router.folder() / "notify.sock"),
      notify_(listen_at(notify_path_)),
      pin_root_(router.pin_root()),
      started_(Clock::now()),
      process_(start(router, notify_path_)) {
  char words[512];
  for (;;) {
    const ssize_t length = recv(notify_.fd(), words, sizeof(words), 0);
    const auto now = Clock::now();
    ready_s_ = std::chrono::duration<double>(now - started_).count();
    if (length > 0 &&
        std::string_view(words, static_cast<std::size_t>(length)).starts_with("READY=1")) {
      // Nobody reads its watchdog's words: a queue that fills would hold it.
      notify_ = dataplane::Handle();
      return;
    }
    if (!process_.running() || now > started_ + kPatience)
      throw std::runtime_error("start hopwise: not ready: " + process_.log());
  }
}

FollowTables FollowDaemon::tables() const {
  return FollowTables(fs::directory_iterator(pin_root_)->path() / dataplane::abi_name());
}

double FollowDaemon::memory_mib() const {
  std::ifstream in("/proc/" + std::to_string(process_.pid()) + "/status");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("RssAnon:")) return std::stod(line.substr(8)) / 1024;
  throw std::runtime_error("hopwise has ended: " + process_.log());
}

double FollowDaemon::cpu_s() const {
  std::ifstream in("/proc/" + std::to_string(process_.pid()) + "/stat");
  std::string text;
  std::getline(in, text);
  std::istringstream fields(text.substr(text.rfind(')') + 2));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  double user = 0, kernel = 0;
  fields >> user >> kernel;
  return (user + kernel) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

FollowDaemon::Sockets FollowDaemon::sockets() const {
  const fs::path process = "/proc/" + std::to_string(process_.pid());
  std::set<std::string> own;
  std::error_code ignored;
  for (const auto& fd : fs::directory_iterator(process / "fd", ignored)) {
    const std::string target = fs::read_symlink(fd.path(), ignored);
    if (target.starts_with("socket:[")) own.insert(target.substr(8, target.size() - 9));
  }
  Sockets all;
  std::ifstream in(process / "net/netlink");
  std::string line;
  std::getline(in, line);
  while (std::getline(in, line)) {
    // sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode
    std::istringstream fields(line);
    std::string sk, bus, pid, groups, inode;
    std::uint64_t queued = 0, sending = 0, locks = 0, drops = 0;
    int dumping = 0;
    fields >> sk >> bus >> pid >> groups >> queued >> sending >> dumping >> locks >> drops >> inode;
    if (!own.contains(inode)) continue;
    all.backlog_bytes = std::max(all.backlog_bytes, queued);
    all.drops += drops;
    all.dumping |= dumping != 0;
  }
  return all;
}

std::size_t FollowDaemon::logged(const std::string& text) const {
  std::istringstream log(process_.log());
  std::size_t count = 0;
  for (std::string line; std::getline(log, line);)
    if (line.find(text) != std::string::npos) ++count;
  return count;
}

}  // namespace hopwise::bench

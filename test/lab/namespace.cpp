#include "test/lab/namespace.hpp"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>

#include "test/lab/process.hpp"

namespace hopwise::lab {
namespace {

// Every process whose network namespace it is dies first, daemons that went into the background
// included; /proc tells them, so no list of children can be out of date.
std::string removal(const std::string& name) {
  return "while p=$(ip netns pids " + name +
         ") && [ -n \"$p\" ]; do kill -9 $p; sleep 0.02; done; "
         "ip netns del " +
         name;
}

// ip says "Command failed -:3": the reader wants the command.
std::string failed_line(const std::string& lines, const std::string& words) {
  const auto at = words.rfind("-:");
  std::istringstream text(lines);
  std::string line;
  for (int left = at == std::string::npos ? 0 : std::atoi(words.c_str() + at + 2); left > 0; --left)
    std::getline(text, line);
  return line;
}

}  // namespace

Result<Namespace> Namespace::create(const std::string& label) {
  const std::string name = "hw" + std::to_string(::getpid()) + "-" + label;
  if (::access(("/run/netns/" + name).c_str(), F_OK) == 0)
    return Error{"create namespace " + name + ": exists (one lab at a time in a process)"};
  auto will = LastWill::write(removal(name));
  if (!will) return will.error();
  if (auto made = lab::run({"ip", "netns", "add", name}); !made) return made.error();
  Namespace space(name, std::move(*will));
  if (auto up = space.ip("link set lo up"); !up) return up.error();
  return space;
}

Result<> Namespace::ip(const std::string& lines) const {
  auto done = lab::run({"ip", "-n", name_, "-batch", "-"}, lines + "\n");
  if (done) return {};
  return Error{"in " + name_ + ": ip " + failed_line(lines, done.error().message) + ": " +
               done.error().message};
}

Result<std::string> Namespace::run(const std::vector<std::string>& argv,
                                   const std::string& input) const {
  Result<std::string> output = Error{};
  thread([&] { output = lab::run(argv, input); }).join();
  return output;
}

Result<> Namespace::sysctl(const std::string& key, const std::string& value) const {
  Result<> written;
  thread([&] {
    const std::string path = "/proc/sys/" + key;
    const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0 || ::write(fd, value.data(), value.size()) < 0)
      written = system_error("in " + name_ + ": write " + value + " to " + path, errno);
    if (fd >= 0) ::close(fd);
  }).join();
  return written;
}

Result<> Namespace::enter(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return system_error("open " + path, errno);
  const int entered = ::setns(fd, CLONE_NEWNET);
  const int cause = errno;
  ::close(fd);
  if (entered != 0) return system_error("enter " + path, cause);
  return {};
}

Result<> veth(const Port& a, const Port& b) {
  return a.where.ip("link add " + a.device + " type veth peer name " + b.device + " netns " +
                    b.where.name());
}

}  // namespace hopwise::lab

// Network namespaces with unique names, made and removed here and nowhere else.
//
// Only the network is unshared: /sys/fs/bpf, /run and the file system stay those of the machine,
// so what runs inside can pin BPF maps and open unix sockets as it would on a router.
#pragma once

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/model/result.hpp"
#include "test/lab/last_will.hpp"

namespace hopwise::lab {

class Namespace {
 public:
  /// Makes "hw<pid>-<label>" with its loopback up. Fails when that name exists.
  static Result<Namespace> create(const std::string& label);

  // When it ends, whatever still runs inside is killed, and then it is removed; also when the
  // process that made it ends by SIGKILL.

  /// As `ip netns` knows it.
  [[nodiscard]] const std::string& name() const { return name_; }

  /// Runs `lines` as one `ip -batch` inside: "link set eth0 up\naddr add 10.0.0.1/24 dev eth0".
  /// The error quotes ip's own words and the line.
  Result<> ip(const std::string& lines) const;

  /// Runs a program inside, waits for its end, and returns what it wrote to stdout. An exit status
  /// other than 0 is an error with what it wrote to stderr (or stdout).
  Result<std::string> run(const std::vector<std::string>& argv,
                          const std::string& input = {}) const;

  /// `key` as in sysctl(8), with slashes for dots: "net/ipv4/ip_forward".
  Result<> sysctl(const std::string& key, const std::string& value) const;

  /// A thread that runs `work()` inside. Throws in that thread (which ends the process) should the
  /// namespace be gone.
  template <class Work>
  [[nodiscard]] std::thread thread(Work work) const {
    return std::thread([path = path(), work = std::move(work)]() mutable {
      enter(path).value();
      work();
    });
  }

  /// The file that setns(2) takes.
  [[nodiscard]] std::string path() const { return "/run/netns/" + name_; }

 private:
  Namespace(std::string name, LastWill will) : name_(std::move(name)), will_(std::move(will)) {}
  static Result<> enter(const std::string& path);

  std::string name_;
  LastWill will_;
};

/// One end of a link.
struct Port {
  const Namespace& where;
  std::string device;
};

/// A veth pair, both ends still down. For a bridge use `ip("link add br0 type bridge")`.
Result<> veth(const Port& a, const Port& b);

}  // namespace hopwise::lab

// A routing daemon in a namespace: FRR's zebra and bgpd, or BIRD, as Debian ships them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/model/result.hpp"
#include "test/lab/lab.hpp"
#include "test/lab/process.hpp"

namespace hopwise::lab {

enum class Role : std::uint8_t {
  router,    // takes what it hears, all equal paths, into the kernel
  upstream,  // says the service prefixes, and leaves the kernel alone
};

struct Peer {
  std::string address4;
  std::string address6;
  unsigned as = 0;
};

struct SpeakerOptions {
  Daemon daemon = Daemon::frr;  // not none
  Role role = Role::upstream;
  unsigned as = 0;
  std::string router_id;
  std::vector<Peer> peers;  // one session a family to each
  std::string extra{};      // text at the configuration's end
};

/// Configuration texts, for people to read what the lab runs.
std::string frr_bgpd_config(const SpeakerOptions& options);
std::string bird_config(const SpeakerOptions& options);

class Speaker {
 public:
  /// Returns when the daemons run, not yet when sessions are up. Files go to `folder`.
  static Result<Speaker> start(const Namespace& where, const std::filesystem::path& folder,
                               SpeakerOptions options);

  /// Takes the service prefixes back, or says them again.
  Result<> withdraw();
  Result<> announce();

  /// At once: no farewell to the peers, whose namespaces go too.
  void kill();

  /// The ends of its logs, for an error's text.
  [[nodiscard]] std::string last_words() const;

 private:
  Speaker(SpeakerOptions options, std::string name, std::filesystem::path folder)
      : options_(std::move(options)), name_(std::move(name)), folder_(std::move(folder)) {}
  Result<> start_frr(const Namespace& where);
  Result<> start_bird(const Namespace& where);
  Result<> originate(const std::string& frr_word, const std::string& bird_word);

  SpeakerOptions options_;
  std::string name_;
  std::filesystem::path folder_;
  std::vector<Process> processes_;
};

/// Where FRR keeps the sockets of the daemons of `name`; not removed by FRR.
inline std::string frr_sockets(const std::string& name) {
  return "/var/run/frr/" + name;
}

}  // namespace hopwise::lab

// A routing daemon in a namespace: FRR's zebra and bgpd, BIRD, or GoBGP, as Debian ships them; and
// what may happen to one: its programs killed and started, its sessions reset, what it says
// changed.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
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
  Daemon daemon = Daemon::frr;  // not none; gobgp: an upstream alone
  Role role = Role::upstream;
  unsigned as = 0;
  std::string router_id;
  std::vector<Peer> peers;  // one session a family to each; IPv6 alone with Ipv4Over::ipv6
  std::string extra{};      // text at the configuration's end
  FrrForm frr_form = FrrForm::groups;
  std::chrono::seconds frr_keeps_groups{1};
  Ipv4Over ipv4_over = Ipv4Over::ipv4;
  Graceful graceful = Graceful::off;
  std::string own4{}, own6{};  // its addresses on the link: GoBGP's routes name them
  int more_prefixes = 0;       // BIRD upstreams: what announce_more() says
};

/// Configuration texts, for people to read what the lab runs.
std::string frr_zebra_config(const SpeakerOptions& options);
std::string frr_bgpd_config(const SpeakerOptions& options);
std::string bird_config(const SpeakerOptions& options);
std::string gobgp_config(const SpeakerOptions& options);

class Speaker {
 public:
  /// Returns when the daemons run, not yet when sessions are up. Files go to `folder`. `where`
  /// must outlive the speaker.
  static Result<Speaker> start(const Namespace& where, const std::filesystem::path& folder,
                               SpeakerOptions options);

  /// Takes the service prefixes back, or says them again.
  Result<> withdraw();
  Result<> announce();
  /// The further prefixes of a BIRD upstream, all at once; they are not said at the start.
  Result<> withdraw_more();
  Result<> announce_more();

  /// Ends and opens anew all sessions, with farewell (a CEASE notification): `clear bgp *`,
  /// `restart` of the protocols, `neighbor reset`.
  Result<> reset_sessions();

  /// SIGKILL to one of its programs: "zebra", "bgpd", "bird" or "gobgpd". It has ended on return.
  Result<> kill(const std::string& program);
  /// Starts it again with the same configuration, and waits as start() does.
  Result<> start_again(const std::string& program);
  /// The program that speaks BGP.
  [[nodiscard]] std::string bgp_program() const;

  /// At once: no farewell to the peers, whose namespaces go too.
  void kill();

  /// What `vtysh -c COMMAND` or `birdc COMMAND` answers.
  [[nodiscard]] Result<std::string> ask(const std::string& command) const;
  /// The ends of its logs, for an error's text.
  [[nodiscard]] std::string last_words() const;

 private:
  Speaker(const Namespace& where, SpeakerOptions options, std::filesystem::path folder)
      : where_(&where), options_(std::move(options)), folder_(std::move(folder)) {}
  [[nodiscard]] std::vector<std::string> programs() const;
  /// Whether it ran before, and its peers hold what it said then.
  [[nodiscard]] bool restarts(const std::string& program) const;
  Result<> start_frr(const std::string& program);
  Result<> start_bird();
  Result<> start_gobgp();
  Result<> run_until(const std::string& program, const std::vector<std::string>& argv,
                     const std::filesystem::path& socket);
  [[nodiscard]] Result<> bird(const std::string& word, const std::string& protocol) const;
  Result<> originate_frr(const std::string& word) const;
  Result<> originate_gobgp(const std::string& word) const;

  const Namespace* where_;
  SpeakerOptions options_;
  std::filesystem::path folder_;
  std::map<std::string, Process> processes_;
};

/// Where FRR keeps the sockets of the daemons of `name`; not removed by FRR.
inline std::string frr_sockets(const std::string& name) {
  return "/var/run/frr/" + name;
}

}  // namespace hopwise::lab

#include "test/lab/speaker.hpp"

#include <signal.h>

#include <fstream>

#include "test/lab/plan.hpp"

namespace hopwise::lab {
namespace {

using namespace std::chrono_literals;

constexpr const char* kFrr = "/usr/lib/frr/";

void write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path) << text;
}

std::string last_lines(const std::string& text, int count) {
  auto from = text.size();
  while (count-- > 0 && from != 0 && from != std::string::npos) from = text.rfind('\n', from - 1);
  return text.substr(from == std::string::npos ? 0 : from);
}

Result<> done(const Result<std::string>& ran) {
  return ran ? Result<>{} : Result<>{ran.error()};
}

}  // namespace

// zebra first: bgpd asks it for the interfaces when it starts.
std::vector<std::string> Speaker::programs() const {
  if (options_.daemon == Daemon::frr) return {"zebra", "bgpd"};
  return {bgp_program()};
}

std::string Speaker::bgp_program() const {
  return options_.daemon == Daemon::frr    ? "bgpd"
         : options_.daemon == Daemon::bird ? "bird"
                                           : "gobgpd";
}

Result<Speaker> Speaker::start(const Namespace& where, const std::filesystem::path& folder,
                               SpeakerOptions options) {
  Speaker speaker(where, std::move(options), folder / where.name());
  std::filesystem::create_directory(speaker.folder_);
  for (const auto& program : speaker.programs())
    if (auto started = speaker.start_again(program); !started)
      return Error{"start routing in " + where.name() + ": " + started.error().message +
                   speaker.last_words()};
  return speaker;
}

bool Speaker::restarts(const std::string& program) const {
  return options_.graceful == Graceful::on && processes_.contains(program);
}

Result<> Speaker::start_again(const std::string& program) {
  if (program == "bird") return start_bird();
  if (program == "gobgpd") return start_gobgp();
  return start_frr(program);
}

// Runs when `socket` is there; one that a killed program left behind tells nothing.
Result<> Speaker::run_until(const std::string& program, const std::vector<std::string>& argv,
                            const std::filesystem::path& socket) {
  std::filesystem::remove(socket);
  auto process = Process::start(*where_, argv, folder_ / (program + ".log"));
  if (!process) return process.error();
  processes_.insert_or_assign(program, std::move(*process));
  if (eventually(30s, [&] { return std::filesystem::exists(socket); })) return {};
  return Error{program + " did not open " + socket.string() + " within 30 s"};
}

Result<> Speaker::start_frr(const std::string& program) {
  write_file(folder_ / "zebra.conf", frr_zebra_config(options_));
  write_file(folder_ / "bgpd.conf", frr_bgpd_config(options_));
  const std::string sockets = frr_sockets(where_->name());
  for (const auto& folder : {sockets, folder_.string()})
    if (auto made = run({"install", "-d", "-o", "frr", "-g", "frr", folder}); !made)
      return made.error();
  std::vector<std::string> argv{kFrr + program,
                                "-N",
                                where_->name(),
                                "-f",
                                folder_ / (program + ".conf"),
                                "-i",
                                folder_ / (program + ".pid"),
                                "-u",
                                "frr",
                                "-g",
                                "frr",
                                "-A",
                                "127.0.0.1",
                                "-P",
                                "0"};
  if (program == "bgpd" && options_.role == Role::upstream) argv.push_back("-n");
  // BMP is a module of its own.
  if (program == "bgpd" && options_.extra.find("bmp ") != std::string::npos)
    argv.insert(argv.end(), {"-M", "bmp"});
  return run_until(program, argv, sockets + (program == "zebra" ? "/zserv.api" : "/bgpd.vty"));
}

Result<> Speaker::start_bird() {
  const auto config = folder_ / "bird.conf";
  const auto socket = folder_ / "bird.ctl";
  write_file(config, bird_config(options_));
  std::vector<std::string> argv{"bird", "-f", "-c", config, "-s", socket};
  // Recovery: the routes in the kernel stay until the peers have said all of theirs.
  if (restarts("bird")) argv.push_back("-R");
  return run_until("bird", argv, socket);
}

Result<> Speaker::start_gobgp() {
  write_file(folder_ / "gobgpd.toml", gobgp_config(options_));
  const auto socket = folder_ / "gobgp.sock";
  std::vector<std::string> argv{
      "gobgpd",         "-f", folder_ / "gobgpd.toml", "--api-hosts", "unix://" + socket.string(),
      "--pprof-disable"};
  if (restarts("gobgpd")) argv.push_back("-r");
  if (auto started = run_until("gobgpd", argv, socket); !started) return started;
  return originate_gobgp("add");
}

Result<> Speaker::withdraw() {
  if (options_.daemon == Daemon::frr) return originate_frr("no network");
  if (options_.daemon == Daemon::gobgp) return originate_gobgp("del");
  if (auto four = bird("disable", "service4"); !four) return four;
  return bird("disable", "service6");
}

Result<> Speaker::announce() {
  if (options_.daemon == Daemon::frr) return originate_frr("network");
  if (options_.daemon == Daemon::gobgp) return originate_gobgp("add");
  if (auto four = bird("enable", "service4"); !four) return four;
  return bird("enable", "service6");
}

Result<> Speaker::withdraw_more() {
  return bird("disable", "\"more*\"");
}

Result<> Speaker::announce_more() {
  return bird("enable", "\"more*\"");
}

Result<> Speaker::originate_frr(const std::string& word) const {
  return done(run({"vtysh", "-N", where_->name(), "-d", "bgpd", "-c", "configure terminal", "-c",
                   "router bgp " + std::to_string(options_.as), "-c", "address-family ipv4 unicast",
                   "-c", word + " " + kServicePrefix4, "-c", "exit-address-family", "-c",
                   "address-family ipv6 unicast", "-c", word + " " + kServicePrefix6}));
}

Result<> Speaker::originate_gobgp(const std::string& word) const {
  const auto say = [&](const char* family, const char* prefix, const std::string& nexthop) {
    return done(run({"gobgp", "--target", "unix://" + (folder_ / "gobgp.sock").string(), "global",
                     "rib", word, "-a", family, prefix, "origin", "igp", "nexthop", nexthop}));
  };
  const bool v6_alone = options_.ipv4_over == Ipv4Over::ipv6;
  if (auto four = say("ipv4", kServicePrefix4, v6_alone ? options_.own6 : options_.own4); !four)
    return four;
  return say("ipv6", kServicePrefix6, options_.own6);
}

Result<> Speaker::bird(const std::string& word, const std::string& protocol) const {
  return done(run({"birdc", "-s", folder_ / "bird.ctl", word, protocol}));
}

Result<> Speaker::reset_sessions() {
  if (options_.daemon == Daemon::bird) return bird("restart", "\"p*\"");
  if (options_.daemon == Daemon::frr) return done(ask("clear bgp *"));
  for (const auto& peer : options_.peers)
    for (const auto& address : {peer.address4, peer.address6}) {
      if (address == peer.address4 && options_.ipv4_over == Ipv4Over::ipv6) continue;
      if (auto reset = run({"gobgp", "--target", "unix://" + (folder_ / "gobgp.sock").string(),
                            "neighbor", address, "reset"});
          !reset)
        return reset.error();
    }
  return {};
}

Result<std::string> Speaker::ask(const std::string& command) const {
  if (options_.daemon == Daemon::frr) return run({"vtysh", "-N", where_->name(), "-c", command});
  if (options_.daemon == Daemon::bird) return run({"birdc", "-s", folder_ / "bird.ctl", command});
  return Error{"ask GoBGP \"" + command + "\": only FRR and BIRD are asked so"};
}

Result<> Speaker::kill(const std::string& program) {
  const auto found = processes_.find(program);
  if (found == processes_.end())
    return Error{"kill " + program + " in " + where_->name() + ": no such program"};
  found->second.kill(SIGKILL);
  if (!found->second.wait(10s))
    return Error{"kill " + program + " in " + where_->name() + ": it still runs after 10 s"};
  return {};
}

void Speaker::kill() {
  for (auto& [name, process] : processes_) process.kill(SIGKILL);
}

std::string Speaker::last_words() const {
  std::string text;
  for (const auto& [name, process] : processes_)
    text += "\n--- " + process.log_path().string() + last_lines(process.log(), 12);
  return text;
}

}  // namespace hopwise::lab

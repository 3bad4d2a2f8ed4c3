#include "test/lab/speaker.hpp"

#include <signal.h>

#include <fstream>
#include <sstream>

#include "test/lab/plan.hpp"

namespace hopwise::lab {
namespace {

using namespace std::chrono_literals;

constexpr const char* kFrr = "/usr/lib/frr/";

std::string frr_family(const SpeakerOptions& options, const std::string& family,
                       std::string Peer::*address, const char* prefix) {
  std::ostringstream text;
  text << " address-family " << family << " unicast\n";
  if (options.role == Role::router)
    text << "  maximum-paths 8\n";
  else
    text << "  network " << prefix << "\n";
  for (const auto& peer : options.peers) text << "  neighbor " << peer.*address << " activate\n";
  text << " exit-address-family\n";
  return text.str();
}

std::string bird_session(const SpeakerOptions& options, const Peer& peer, std::size_t number,
                         const char* family, const std::string& address) {
  const bool router = options.role == Role::router;
  std::ostringstream text;
  text << "protocol bgp p" << number << family << " {\n"
       << "  local as " << options.as << "; neighbor " << address << " as " << peer.as << ";\n"
       << "  direct; hold time 9; keepalive time 3;\n"
       << "  connect delay time 1; connect retry time 1; error wait time 1,5;\n  " << family
       << (router ? " { import all; export none; };\n"
                  : " { import none; export where source = RTS_STATIC; next hop self; };\n")
       << "}\n";
  return text.str();
}

void write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path) << text;
}

std::string last_lines(const std::string& text, int count) {
  auto from = text.size();
  while (count-- > 0 && from != 0 && from != std::string::npos) from = text.rfind('\n', from - 1);
  return text.substr(from == std::string::npos ? 0 : from);
}

}  // namespace

std::string frr_bgpd_config(const SpeakerOptions& options) {
  std::ostringstream text;
  text << "log stdout\nrouter bgp " << options.as << "\n bgp router-id " << options.router_id
       << "\n no bgp ebgp-requires-policy\n no bgp network import-check\n"
       << " no bgp default ipv4-unicast\n bgp bestpath as-path multipath-relax\n timers bgp 3 9\n";
  for (const auto& peer : options.peers)
    for (const auto& address : {peer.address4, peer.address6})
      text << " neighbor " << address << " remote-as " << peer.as << "\n neighbor " << address
           << " advertisement-interval 0\n neighbor " << address << " timers connect 1\n";
  text << frr_family(options, "ipv4", &Peer::address4, kServicePrefix4)
       << frr_family(options, "ipv6", &Peer::address6, kServicePrefix6) << options.extra;
  return text.str();
}

std::string bird_config(const SpeakerOptions& options) {
  std::ostringstream text;
  text << "log stderr all;\nrouter id " << options.router_id
       << ";\nprotocol device { scan time 1; }\n";
  if (options.role == Role::router) {
    text << "protocol direct { ipv4; ipv6; }\n";
    for (const char* family : {"ipv4", "ipv6"})
      text << "protocol kernel { merge paths on limit 8; scan time 10; " << family
           << " { import none; export where source = RTS_BGP; }; }\n";
  } else {
    text << "protocol static service4 { ipv4; route " << kServicePrefix4 << " blackhole; }\n"
         << "protocol static service6 { ipv6; route " << kServicePrefix6 << " blackhole; }\n";
  }
  for (std::size_t i = 0; i < options.peers.size(); ++i) {
    text << bird_session(options, options.peers[i], i, "ipv4", options.peers[i].address4)
         << bird_session(options, options.peers[i], i, "ipv6", options.peers[i].address6);
  }
  text << options.extra;
  return text.str();
}

Result<Speaker> Speaker::start(const Namespace& where, const std::filesystem::path& folder,
                               SpeakerOptions options) {
  Speaker speaker(std::move(options), where.name(), folder / where.name());
  std::filesystem::create_directory(speaker.folder_);
  const auto started =
      speaker.options_.daemon == Daemon::frr ? speaker.start_frr(where) : speaker.start_bird(where);
  if (!started)
    return Error{"start routing in " + where.name() + ": " + started.error().message +
                 speaker.last_words()};
  return speaker;
}

Result<> Speaker::start_frr(const Namespace& where) {
  write_file(folder_ / "zebra.conf", "log stdout\nzebra nexthop-group keep 1\n");
  write_file(folder_ / "bgpd.conf", frr_bgpd_config(options_));
  const std::string sockets = frr_sockets(name_);
  for (const auto& folder : {sockets, folder_.string()})
    if (auto made = run({"install", "-d", "-o", "frr", "-g", "frr", folder}); !made)
      return made.error();

  const auto daemon = [&](const std::string& name, const std::string& socket) -> Result<> {
    std::vector<std::string> argv{kFrr + name,
                                  "-N",
                                  name_,
                                  "-f",
                                  folder_ / (name + ".conf"),
                                  "-i",
                                  folder_ / (name + ".pid"),
                                  "-u",
                                  "frr",
                                  "-g",
                                  "frr",
                                  "-A",
                                  "127.0.0.1",
                                  "-P",
                                  "0"};
    if (name == "bgpd" && options_.role == Role::upstream) argv.push_back("-n");
    auto process = Process::start(where, argv, folder_ / (name + ".log"));
    if (!process) return process.error();
    processes_.push_back(std::move(*process));
    if (eventually(10s, [&] { return std::filesystem::exists(sockets + "/" + socket); })) return {};
    return Error{name + " did not open " + socket + " within 10 s"};
  };
  // bgpd asks zebra for the interfaces when it starts.
  if (auto zebra = daemon("zebra", "zserv.api"); !zebra) return zebra;
  return daemon("bgpd", "bgpd.vty");
}

Result<> Speaker::start_bird(const Namespace& where) {
  const auto config = folder_ / "bird.conf";
  const auto socket = folder_ / "bird.ctl";
  write_file(config, bird_config(options_));
  auto process =
      Process::start(where, {"bird", "-f", "-c", config, "-s", socket}, folder_ / "bird.log");
  if (!process) return process.error();
  processes_.push_back(std::move(*process));
  if (eventually(10s, [&] { return std::filesystem::exists(socket); })) return {};
  return Error{"bird did not open its control socket within 10 s"};
}

Result<> Speaker::withdraw() {
  return originate("no network", "disable");
}

Result<> Speaker::announce() {
  return originate("network", "enable");
}

Result<> Speaker::originate(const std::string& frr_word, const std::string& bird_word) {
  if (options_.daemon == Daemon::frr) {
    auto done =
        run({"vtysh", "-N", name_, "-d", "bgpd", "-c", "configure terminal", "-c",
             "router bgp " + std::to_string(options_.as), "-c", "address-family ipv4 unicast", "-c",
             frr_word + " " + kServicePrefix4, "-c", "exit-address-family", "-c",
             "address-family ipv6 unicast", "-c", frr_word + " " + kServicePrefix6});
    return done ? Result<>{} : Result<>{done.error()};
  }
  for (const char* protocol : {"service4", "service6"})
    if (auto done = run({"birdc", "-s", folder_ / "bird.ctl", bird_word, protocol}); !done)
      return done.error();
  return {};
}

void Speaker::kill() {
  for (auto& process : processes_) process.kill(SIGKILL);
}

std::string Speaker::last_words() const {
  std::string text;
  for (const auto& process : processes_)
    text += "\n--- " + process.log_path().string() + last_lines(process.log(), 12);
  return text;
}

}  // namespace hopwise::lab

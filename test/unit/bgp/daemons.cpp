#include "test/unit/bgp/daemons.hpp"

#include <unistd.h>

#include <fstream>

namespace hopwise::bgp::test {
namespace {

using namespace std::chrono_literals;

constexpr const char* kPassword = "secret";

std::string number_text(const std::string& text, int number) {
  std::string out;
  for (const char c : text) out += c == '#' ? std::to_string(number) : std::string(1, c);
  return out;
}

constexpr const char* kUpstream = R"(router id 10.99.255.1#;
ipv4 table via6;
protocol device {}
protocol static s4 { ipv4; route 198.51.100.0/24 blackhole; }
protocol static s6 { ipv6; route 2001:db8:100::/48 blackhole; }
protocol static s46 { ipv4 { table via6; }; route 192.0.2.0/24 blackhole; }
template bgp dut { local as 6500#; hold time 9; connect delay time 1; connect retry time 1; error wait time 1,5; }
protocol bgp dut4 from dut { neighbor 10.99.#.1 as 65000;
  ipv4 { import none; export filter { if 3 = # then bgp_path.prepend(65003); accept; }; next hop self; }; }
protocol bgp dut6 from dut { neighbor fd00:99:#::1 as 65000;
  ipv6 { import none; export filter { if 3 = # then bgp_path.prepend(65003); accept; }; next hop self; };
  ipv4 { table via6; import none; export filter { if 3 = # then bgp_path.prepend(65003); accept; };
         next hop self; extended next hop; }; }
)";

constexpr const char* kBird = R"(router id 10.99.255.1;
protocol device { scan time 1; }
protocol direct { ipv4; ipv6; }
template bgp up { local as 65000; direct; hold time 9; connect delay time 1; connect retry time 1; error wait time 1,5; }
protocol bgp a4 from up { neighbor 10.99.2.2 as 65002; ipv4 { import all; export none; }; }
protocol bgp b4 from up { neighbor 10.99.3.2 as 65003; ipv4 { import all; export none; }; }
protocol bgp a6 from up { neighbor fd00:99:2::2 as 65002;
  ipv6 { import all; export none; }; ipv4 { import all; export none; extended next hop; }; }
protocol bgp b6 from up { neighbor fd00:99:3::2 as 65003;
  ipv6 { import all; export none; }; ipv4 { import all; export none; extended next hop; }; }
protocol bgp hopwise {
  local 127.0.0.1 as 65000; neighbor 127.0.0.2 port 1790 as 65000; multihop;
  hold time 9; connect delay time 1; connect retry time 1; error wait time 1,5;
  ipv4 { import none; export where source = RTS_BGP; add paths tx; next hop keep; extended next hop; };
  ipv6 { import none; export where source = RTS_BGP; add paths tx; next hop keep; };
}
)";

/// The two sessions of core/bgp/README.md, the first with a password.
std::string frr_config() {
  std::string text = R"(log stdout
router bgp 65000
 bgp router-id 10.99.255.1
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 timers bgp 3 9
)";
  const std::vector<std::string> upstreams{"10.99.2.2", "10.99.3.2", "fd00:99:2::2",
                                           "fd00:99:3::2"};
  for (std::size_t i = 0; i < upstreams.size(); i++)
    text += " neighbor " + upstreams[i] + " remote-as " + (i % 2 == 0 ? "65002" : "65003") +
            "\n neighbor " + upstreams[i] + " timers connect 1\n" +
            (i < 2 ? "" : " neighbor " + upstreams[i] + " capability extended-nexthop\n");
  const std::vector<std::pair<std::string, std::string>> listeners{{"10.255.255.2", "10.255.255.1"},
                                                                   {"fd00:b9::2", "fd00:b9::1"}};
  for (const auto& [hopwise, own] : listeners)
    for (const std::string& line :
         {std::string("remote-as 65000"), std::string("port 1790"), "update-source " + own,
          std::string("capability extended-nexthop"), std::string("timers 3 9"),
          std::string("timers connect 1"), std::string("advertisement-interval 0")})
      text += " neighbor " + hopwise + ' ' + line + '\n';
  text += std::string(" neighbor 10.255.255.2 password ") + kPassword + '\n';
  for (const char* family : {"ipv4", "ipv6"}) {
    text += std::string(" address-family ") + family + " unicast\n";
    for (std::size_t i = family[3] == '4' ? 0 : 2; i < upstreams.size(); i++)
      text += "  neighbor " + upstreams[i] + " activate\n";
    for (const auto& [hopwise, own] : listeners)
      text +=
          "  neighbor " + hopwise + " activate\n  neighbor " + hopwise + " addpath-tx-all-paths\n";
    text += " exit-address-family\n";
  }
  return text;
}

std::string gobgp_neighbour(const std::string& address, int as, bool all_paths, bool v4, bool v6) {
  std::string text =
      "[[neighbors]]\n  [neighbors.config]\n    neighbor-address = \"" + address +
      "\"\n    peer-as = " + std::to_string(as) +
      "\n  [neighbors.timers.config]\n    hold-time = 9\n    keepalive-interval = 3\n"
      "    connect-retry = 1\n    idle-hold-time-after-reset = 1\n";
  if (all_paths)
    text +=
        "  [neighbors.transport.config]\n    local-address = \"127.0.0.1\"\n"
        "    remote-port = 1790\n";
  for (const char* family : {"ipv4", "ipv6"}) {
    if (family[3] == '4' ? !v4 : !v6) continue;
    text += std::string("  [[neighbors.afi-safis]]\n    [neighbors.afi-safis.config]\n") +
            "      afi-safi-name = \"" + family + "-unicast\"\n";
    if (all_paths) text += "    [neighbors.afi-safis.add-paths.config]\n      send-max = 16\n";
  }
  return text;
}

std::string gobgp_config() {
  std::string text = "[global.config]\n  as = 65000\n  router-id = \"10.99.255.1\"\n  port = 179\n";
  text += gobgp_neighbour("127.0.0.2", 65000, true, true, true);
  for (const int i : {2, 3}) {
    text += gobgp_neighbour(number_text("10.99.#.2", i), 65000 + i, false, true, false);
    text += gobgp_neighbour(number_text("fd00:99:#::2", i), 65000 + i, false, true, true);
  }
  return text;
}

std::filesystem::path make_folder() {
  std::string pattern = "/tmp/hopwise-bgp-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
  return pattern;
}

}  // namespace

Router::Router(Kind kind)
    : kind_(kind),
      folder_(make_folder()),
      dut_(lab::Namespace::create("bgp-dut").value()),
      u2_(lab::Namespace::create("bgp-u2").value()),
      u3_(lab::Namespace::create("bgp-u3").value()) {
  const std::string w2 = "w2", w3 = "w3";
  lab::veth({dut_, w2}, {u2_, "p2"}).value();
  lab::veth({dut_, w3}, {u3_, "p3"}).value();
  for (const int i : {2, 3}) {
    dut_.sysctl(number_text("net/ipv6/conf/w#/accept_dad", i), "0").value();
    (i == 2 ? u2_ : u3_).sysctl(number_text("net/ipv6/conf/p#/accept_dad", i), "0").value();
    const std::string text =
        "addr add 10.99.#.@/30 dev %#\n"
        "addr add fd00:99:#::@/64 dev %# nodad\nlink set %# up";
    for (const char end : {'1', '2'}) {
      std::string lines = number_text(text, i);
      for (char& c : lines) c = c == '@' ? end : c == '%' ? (end == '1' ? 'w' : 'p') : c;
      (end == '1' ? dut_ : i == 2 ? u2_ : u3_).ip(lines).value();
    }
  }
  start_upstream(u2_, 2);
  start_upstream(u3_, 3);
  if (kind == Kind::frr) start_frr();
  if (kind == Kind::bird) {
    write("bird.conf", kBird);
    start(dut_, "bird", {"bird", "-f", "-c", folder_ / "bird.conf", "-s", folder_ / "bird.ctl"},
          daemons_);
  }
  if (kind == Kind::gobgp) {
    write("gobgpd.toml", gobgp_config());
    start(dut_, "gobgpd",
          {"gobgpd", "-f", folder_ / "gobgpd.toml", "--api-hosts", "127.0.0.1:50051"}, daemons_);
  }
}

Router::~Router() {
  daemons_.clear();
  upstreams_.clear();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
  std::filesystem::remove_all("/var/run/frr/" + dut_.name(), ignored);
}

void Router::write(const std::string& name, const std::string& text) const {
  std::ofstream(folder_ / name) << text;
}

void Router::start(const lab::Namespace& where, const std::string& name,
                   const std::vector<std::string>& argv, std::vector<lab::Process>& into) {
  into.push_back(lab::Process::start(where, argv, folder_ / (name + ".log")).value());
}

void Router::start_upstream(const lab::Namespace& where, int number) {
  const std::string name = number_text("u#", number);
  write(name + ".conf", number_text(kUpstream, number));
  start(where, name,
        {"bird", "-f", "-c", folder_ / (name + ".conf"), "-s", folder_ / (name + ".ctl")},
        upstreams_);
}

void Router::start_frr() {
  dut_.ip("addr add 10.255.255.1/30 dev lo\naddr add fd00:b9::1/64 dev lo nodad\n"
          "route add local fd00:b9::2/128 dev lo")
      .value();
  const std::string sockets = "/var/run/frr/" + dut_.name();
  write("zebra.conf", "log stdout\n");
  write("bgpd.conf", frr_config());
  for (const std::string& folder : {sockets, folder_.string()})
    lab::run({"install", "-d", "-o", "frr", "-g", "frr", "-m", "755", folder}).value();
  for (const std::string daemon : {"zebra", "bgpd"}) {
    start(dut_, daemon,
          {"/usr/lib/frr/" + daemon, "-N", dut_.name(), "-f", folder_ / (daemon + ".conf"), "-i",
           folder_ / (daemon + ".pid"), "-u", "frr", "-g", "frr", "-A", "127.0.0.1", "-P", "0"},
          daemons_);
    const std::string socket = sockets + (daemon == "zebra" ? "/zserv.api" : "/bgpd.vty");
    if (!lab::eventually(20s, [&] { return std::filesystem::exists(socket); }))
      throw std::runtime_error(daemon + " did not start" + logs());
  }
}

Options Router::options() const {
  const auto at = [](const char* text) { return IpAddress::parse(text).value(); };
  Options options;
  options.as = 65000;
  options.router_id = 0x0a63fffa;
  if (kind_ == Kind::frr) {
    options.listen = {{at("10.255.255.2"), 1790}, {at("fd00:b9::2"), 1790}};
    options.peers = {{.address = at("10.255.255.1"), .password = kPassword},
                     {.address = at("fd00:b9::1")}};
  } else {
    options.listen = {{at("127.0.0.2"), 1790}};
    options.peers = {{.address = at("127.0.0.1")}};
  }
  return options;
}

void Router::withdraw() {
  lab::run({"birdc", "-s", folder_ / "u3.ctl", "disable", "s4"}).value();
}

std::string Router::logs() const {
  std::string text;
  for (const auto* processes : {&daemons_, &upstreams_})
    for (const lab::Process& process : *processes) {
      const std::string log = process.log();
      text += "\n--- " + process.log_path().string() + '\n' +
              log.substr(log.size() > 1500 ? log.size() - 1500 : 0);
    }
  return text;
}

}  // namespace hopwise::bgp::test

#include "core/config/probe_config.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "core/config/key_file.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::config;
using namespace std::chrono_literals;

namespace {

/// A folder of one test's files.
struct Folder {
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "hopwise-key-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path); }

  [[nodiscard]] std::string file(const char* name, const std::string& content,
                                 ::mode_t mode = 0600) const {
    const auto at = path / name;
    std::ofstream(at) << content;
    REQUIRE(::chmod(at.c_str(), mode) == 0);
    return at.string();
  }

  std::filesystem::path path;
};

std::string fault(const std::string& text) {
  const auto config = parse(text, "f");
  return config ? "" : config.error().message;
}

std::string with_anchors(const std::string& list, const char* gateway = "192.0.2.1") {
  return R"({"nexthops": [{"gateway": ")" + std::string(gateway) + R"(", "anchors": [)" + list +
         "]}]}";
}

/// The fault of a nexthop's anchors, without the place of the list.
std::string anchors_fault(const std::string& list, const char* gateway = "192.0.2.1") {
  const std::string message = fault(with_anchors(list, gateway));
  const auto place = message.find("nexthops[0].anchors");
  return place == std::string::npos ? message : message.substr(place + 12);
}

std::vector<std::string> texts(const std::vector<probes::AnchorSpec>& anchors) {
  std::vector<std::string> all;
  for (const auto& spec : anchors) all.push_back(spec.anchor.text());
  return all;
}

}  // namespace

TEST_CASE("anchors are texts or objects, of every kind") {
  const Folder folder;
  const std::string key = folder.file("stamp.key", "0123456789abcdef\n");
  const auto config =
      parse(with_anchors(R"("203.0.113.53", "tcp://203.0.113.53:443", "stamp://198.51.100.7:862",
                      "https://192.0.2.9", {"anchor": "203.0.113.54"},
                      {"anchor": "stamp://198.51.100.8", "key_file": ")" +
                         key + R"("},
                      {"anchor": "https://192.0.2.7:8443", "host": "www.example.net",
                       "path": "/health?deep=1", "verify": false},
                      {"anchor": "http://192.0.2.7", "path": "/x"})"),
            "f");
  INFO((config ? std::string() : config.error().message));
  REQUIRE(config.has_value());
  const auto& anchors = config->nexthops.at(0).anchors;
  CHECK(texts(anchors) == std::vector<std::string>{
                              "203.0.113.53", "tcp://203.0.113.53:443", "stamp://198.51.100.7:862",
                              "https://192.0.2.9:443", "203.0.113.54", "stamp://198.51.100.8:862",
                              "https://192.0.2.7:8443", "http://192.0.2.7:80"});
  CHECK(anchors[5].stamp_key == "0123456789abcdef");
  CHECK(anchors[6].http_host == "www.example.net");
  CHECK(anchors[6].http_path == "/health?deep=1");
  CHECK_FALSE(anchors[6].verify_certificate);
  CHECK(anchors[3].verify_certificate);
  CHECK(anchors[3].http_path == "/");
}

TEST_CASE("each anchor's fault stands at its element, and says what to write") {
  CHECK(fault(with_anchors(R"("203.0.113.53", "2001:db8::1")")) ==
        "f:1:68: nexthops[0].anchors[1]: 2001:db8::1 cannot be reached through an IPv4 gateway "
        "(name an IPv4 anchor, or make an entry for the IPv6 gateway)");
  CHECK(anchors_fault(R"("192.0.2.9", {"anchor": "192.0.2.9"})") ==
        "anchors[1].anchor: 192.0.2.9 stands here twice (remove one)");
  CHECK(anchors_fault(R"("tcp://192.0.2.9:80", "tcp://192.0.2.9:80")") ==
        "anchors[1]: tcp://192.0.2.9:80 stands here twice (remove one)");
  CHECK(anchors_fault(R"("tcp://192.0.2.9:80", "192.0.2.9", "tcp://192.0.2.9:81")") == "");
  CHECK(anchors_fault(R"("0.0.0.0")") == "anchors[0]: 0.0.0.0 is nobody's address (name a host's)");
  for (const std::string inward : {"127.0.0.1", "::1", "http://127.8.8.8"})
    CHECK(anchors_fault('"' + inward + '"').find("is this host itself") != std::string::npos);
  for (const std::string many : {"224.0.0.1", "255.255.255.255", "ff02::1", "tcp://239.1.1.1:80"})
    CHECK(anchors_fault('"' + many + '"').find("is many hosts") != std::string::npos);
  CHECK(anchors_fault(R"("tcp://192.0.2.9")")
            .starts_with("anchors[0]: \"tcp://192.0.2.9\" has no "
                         "port"));
  CHECK(anchors_fault(R"("anycast.example.net")")
            .starts_with("anchors[0]: \"anycast.example.net\" is no IP address"));
  CHECK(anchors_fault(R"({"anchor": "sctp://192.0.2.9"})").starts_with("anchors[0].anchor: "));
  CHECK(anchors_fault(R"({"host": "a"})") == "anchors[0]: key \"anchor\" is missing (add it)");
  CHECK(anchors_fault(R"(5)") == "anchors[0]: a number is not a text or an object (write {...})");
  CHECK(anchors_fault(R"({"anchor": "192.0.2.9", "hots": "a"})") ==
        "anchors[0]: unknown key \"hots\" (did you mean \"host\"?)");
  CHECK(fault(R"({"nexthops": [{"gateway": "192.0.2.1", "anchors": "192.0.2.9"}]})")
            .find("is not a list (write [...], also around a single one)") != std::string::npos);
  CHECK(anchors_fault(R"("192.0.2.9", "2001:db8::1")", "fe80::1") ==
        "f:1:27: nexthops[0].gateway: a link-local gateway needs its interface too (add "
        "\"interface\")");
}

TEST_CASE("at most sixteen anchors are probed through a nexthop") {
  std::string list;
  for (int i = 1; i <= 16; ++i)
    list += (i > 1 ? ", " : "") + ("\"tcp://192.0.2.9:" + std::to_string(i) + '"');
  CHECK(anchors_fault(list) == "");
  CHECK(anchors_fault(list + R"(, "192.0.2.9")") ==
        "anchors[16]: 192.0.2.9 is one too many (at most 16 for a nexthop)");
}

TEST_CASE("a key that does nothing for its kind of anchor is a fault") {
  CHECK(anchors_fault(R"({"anchor": "tcp://192.0.2.9:80", "key_file": "/x"})") ==
        "anchors[0].key_file: is for stamp anchors, and tcp://192.0.2.9:80 is none (remove it, or "
        "write stamp://ADDRESS)");
  CHECK(anchors_fault(R"({"anchor": "stamp://192.0.2.9", "host": "a"})") ==
        "anchors[0].host: is for http and https anchors, and stamp://192.0.2.9:862 is none (remove "
        "it)");
  CHECK(anchors_fault(R"({"anchor": "192.0.2.9", "path": "/"})").starts_with("anchors[0].path: "));
  CHECK(anchors_fault(R"({"anchor": "http://192.0.2.9", "verify": true})") ==
        "anchors[0].verify: is for https anchors, and http://192.0.2.9:80 is none (remove it)");
}

TEST_CASE("nothing that a request could be forged with is taken for a host or a path") {
  for (const char* host : {R"(a b)", R"(a\r\nX-Evil: 1)", R"(caf\u00e9)"}) {
    CAPTURE(host);
    CHECK(
        anchors_fault(R"({"anchor": "http://192.0.2.9", "host": ")" + std::string(host) + "\"}") ==
        "anchors[0].host: is no host name (write one like \"www.example.net\")");
  }
  for (const char* path : {R"(health)", R"(/a b)", R"(/\r\nHost: x)"}) {
    CAPTURE(path);
    CHECK(
        anchors_fault(R"({"anchor": "http://192.0.2.9", "path": ")" + std::string(path) + "\"}") ==
        "anchors[0].path: is no path of a URL (write one like \"/health\", blanks as %20)");
  }
}

TEST_CASE("a key file is read whole, and refused where it keeps no secret") {
  const Folder folder;
  CHECK(read_key(folder.file("plain", "secret")).value() == "secret");
  CHECK(read_key(folder.file("line", "secret\r\n")).value() == "secret");
  CHECK(read_key(folder.file("blanks", " two words \n\n")).value() == " two words \n");
  CHECK(read_key(folder.file("group", "secret", 0640)).value() == "secret");
  const auto refused = [](const std::string& path) {
    const auto key = read_key(path);
    REQUIRE(key.has_error());
    const std::string start = "read key " + path + ": ";
    REQUIRE(key.error().message.starts_with(start));
    return key.error().message.substr(start.size());
  };
  CHECK(refused((folder.path / "missing").string()) == "No such file or directory");
  CHECK(refused(folder.path.string()).starts_with("it is no regular file"));
  CHECK(refused(folder.file("empty", "")).starts_with("it is empty"));
  CHECK(refused(folder.file("break", "\n")) == "it holds a line break and no key");
  CHECK(refused(folder.file("open", "secret", 0644)).starts_with("everyone may read or write it"));
  CHECK(refused(folder.file("long", std::string(5000, 'x'))).starts_with("it is longer"));
  const std::string fifo = (folder.path / "fifo").string();
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(refused(fifo).starts_with("it is no regular file"));

  const std::string open = folder.file("everyone", "secret", 0604);
  CHECK(fault(with_anchors(R"({"anchor": "stamp://192.0.2.9",
    "key_file": ")" + open +
                           "\"}"))
            .starts_with("f:2:17: nexthops[0].anchors[0].key_file: read key " + open +
                         ": everyone may read or write it"));
}

TEST_CASE("a list for all serves nexthops that name no anchors, where the family fits") {
  const auto config = parse(R"({"probe": {"anchors": ["203.0.113.1", "tcp://[2001:db8::1]:443"]},
    "nexthops": [{"gateway": "192.0.2.1", "anchors": ["203.0.113.9"]},
                 {"gateway": "192.0.2.2"}]})",
                            "f");
  INFO((config ? std::string() : config.error().message));
  REQUIRE(config.has_value());
  const auto of = [&](const NexthopConfig* named, const char* gateway) {
    return texts(anchors_of(*config, named, *IpAddress::parse(gateway)));
  };
  using Texts = std::vector<std::string>;
  CHECK(of(&config->nexthops[0], "192.0.2.1") == Texts{"203.0.113.9"});
  CHECK(of(&config->nexthops[1], "192.0.2.2") == Texts{"203.0.113.1"});
  CHECK(of(nullptr, "192.0.2.3") == Texts{"203.0.113.1"});
  CHECK(of(nullptr, "fe80::1") == Texts{"tcp://[2001:db8::1]:443"});
  const auto alone = [](const char* list, const char* gateway) {
    const auto other = parse(R"({"probe": {"anchors": [)" + std::string(list) + "]}}", "f");
    REQUIRE(other.has_value());
    return texts(anchors_of(*other, nullptr, *IpAddress::parse(gateway)));
  };
  CHECK(alone(R"("2001:db8::1")", "192.0.2.1") == Texts{"192.0.2.1"});
  CHECK(alone(R"("203.0.113.1")", "fe80::1") == Texts{"203.0.113.1"});
  CHECK(alone("", "fe80::1") == Texts{"fe80::1"});
}

TEST_CASE("a budget that leaves an anchor less than a probe a second is a fault") {
  std::string nexthops;
  for (int i = 1; i <= 30; ++i)
    nexthops += (i > 1 ? ", " : "") + (R"({"gateway": "192.0.2.)" + std::to_string(i) + "\"}");
  const auto with = [&](const std::string& budget, const std::string& more = "") {
    return fault(R"({"probe": {"budget": )" + budget + more + R"(}, "nexthops": [)" + nexthops +
                 "]}");
  };
  CHECK(with("30") == "");
  CHECK(with("29.5") ==
        "f:1:22: probe.budget: 29.5 probes a second for the 30 anchors named leave less than one a "
        "second for each (make it at least 30, or name fewer)");
  // The list for all counts once for each of them, and HTTP has a pace of its own.
  CHECK(with("59", R"(, "anchors": ["203.0.113.1", "203.0.113.2"])") != "");
  CHECK(with("30", R"(, "anchors": ["203.0.113.1", "http://203.0.113.2"])") == "");
  CHECK(fault(R"({"probe": {"budget": 50, "suspicious_interval": "10ms"}})") ==
        "f:1:22: probe.budget: 50 probes a second are fewer than one suspicious anchor needs, 100 "
        "(make it at least that, or suspicious_interval longer)");
}

TEST_CASE("a hundred probes a second may be asked for while a nexthop is suspicious") {
  const auto config = parse(R"({"probe": {"suspicious_interval": "10ms", "budget": 100, "flows": 16,
    "stage_from": 1, "http_interval": "1s", "http_timeout": "500ms"}})",
                            "f");
  REQUIRE(config.has_value());
  CHECK(config->probes.suspicious_interval == 10ms);
  CHECK(config->probes.budget == 100);
  CHECK(config->probes.flows == 16);
  CHECK(config->probes.stage_from == 1);
  CHECK(config->probes.http_interval == 1s);
  CHECK(config->probes.http_timeout == 500ms);
}

TEST_CASE("anchors, keys, paces and the budget change while hopwise runs") {
  Config running, wanted;
  wanted.anchors = {*Anchor::parse("tcp://203.0.113.1:443")};
  wanted.probes.budget = 100;
  wanted.probes.suspicious_interval = 10ms;
  wanted.probes.http_interval = 1s;
  wanted.probes.http_timeout = 500ms;
  CHECK(needs_restart(running, wanted) == std::nullopt);
}

TEST_CASE("packet trains are off, or as many as an object says") {
  const auto trains = [](const std::string& train) {
    return parse(R"({"probe": {"train": )" + train + "}}", "f");
  };
  CHECK_FALSE(parse("{}", "f")->trains);
  CHECK_FALSE(trains(R"("off")")->trains);
  const auto usual = trains("{}");
  REQUIRE((usual && usual->trains));
  CHECK(usual->trains->every == 10min);
  CHECK(usual->trains->packets == 32);
  const auto own = trains(R"({"every": "1m", "packets": 128})");
  REQUIRE((own && own->trains));
  CHECK(own->trains->every == 1min);
  CHECK(own->trains->packets == 128);
  for (const char* wrong : {R"("on")", "true", R"({"every": "59s"})", R"({"every": "25h"})",
                            R"({"packets": 7})", R"({"packets": 129})", R"({"often": 1})"}) {
    CAPTURE(wrong);
    const auto refused = trains(wrong);
    REQUIRE(refused.has_error());
    CHECK(refused.error().message.find("probe.train") != std::string::npos);
  }
}

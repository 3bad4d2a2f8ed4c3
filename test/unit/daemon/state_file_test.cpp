// The state file: what is written comes back, and nothing else does.
#include "core/daemon/state_file.hpp"

#include <openssl/evp.h>
#include <sys/stat.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>
#include <sstream>

#include "core/model/format.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

const WallTime kNow{1'750'000'000s};

struct Folder {
  Folder() {
    std::string name = "/tmp/hopwise-state-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Folder() { fs::remove_all(path); }
  [[nodiscard]] std::string file() const { return path / "state.json"; }
  [[nodiscard]] int set_aside() const {
    int n = 0;
    for (const auto& entry : fs::directory_iterator(path))
      n += entry.path().filename().string().starts_with("state.json.bad-");
    return n;
  }
  fs::path path;
};

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream all;
  all << in.rdbuf();
  return all.str();
}

void write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

State example() {
  engine::NexthopMemory nexthop;
  nexthop.bases = {{*Anchor::parse("192.0.2.1"), 20.25, 3min},
                   {*Anchor::parse("tcp://[2001:db8::1]:443"), 1.5, 0s}};
  nexthop.learnt_bit_s = 123456789.5;
  nexthop.learnt_age = 2h;
  nexthop.penalty = 1234.5;
  nexthop.penalty_age = 1s;
  nexthop.commit_slots = {1e6f, 2.5e6f, 0};
  nexthop.commit_age = 100s;
  KeptGroup group;
  group.shares = {{"eth1 198.51.100.1", 0.75}, {"eth2 fe80::1", 0.25}};
  group.memory.reverted = true;
  group.memory.reverted_for = 10min;
  group.memory.reverts = 3;
  State state;
  state.nexthops["eth1 198.51.100.1"] = {nexthop, 0s};
  state.nexthops["eth2 fe80::1"] = {{}, 24h};
  state.groups["eth1 198.51.100.1, eth2 fe80::1"] = {group, 0s};
  return state;
}

// Everything that decode() may hand on keeps to what its users rely on.
void check_sane(const State& state) {
  const auto sane = [](double x) { return std::isfinite(x) && x >= 0; };
  for (const auto& [key, entry] : state.nexthops) {
    const auto& m = entry.memory;
    bool good = entry.age >= 0s && sane(m.penalty) && m.penalty_age >= 0s && m.commit_age >= 0s;
    for (const auto& base : m.bases) good = good && sane(base.rtt_ms) && base.age >= 0s;
    for (const float slot : m.commit_slots) good = good && sane(slot);
    CHECK(good);
    CHECK(sane(m.learnt_bit_s.value_or(1)));
  }
  for (const auto& [key, entry] : state.groups) {
    CHECK(entry.memory.memory.reverted_for >= 0s);
    for (const auto& [nexthop, wanted] : entry.memory.shares) CHECK(sane(wanted));
  }
}

// The envelope around a body of one's own, with the right checksum: as a bug of ours would write
// it.
std::string with_body(const std::string& body) {
  std::array<unsigned char, 32> digest{};
  REQUIRE(EVP_Digest(body.data(), body.size(), digest.data(), nullptr, EVP_sha256(), nullptr) == 1);
  std::string hex;
  for (const unsigned char byte : digest) hex += format("%02x", byte);
  return "{\"hopwise_state\":1,\"sha256\":\"" + hex + "\",\"body\":" + body + "}\n";
}

}  // namespace

TEST_CASE("what is saved is loaded", "[state]") {
  const Folder folder;
  const StateFile file(folder.path / "var/lib/state.json");
  REQUIRE(file.save(example(), kNow).has_value());
  const auto loaded = file.load(kNow);
  CHECK_FALSE(loaded.trouble);
  const auto& n = loaded.state.nexthops.at("eth1 198.51.100.1").memory;
  REQUIRE(n.bases.size() == 2);
  CHECK(n.bases[0].anchor.text() == "192.0.2.1");
  CHECK(n.bases[0].rtt_ms == 20.25);
  CHECK(n.bases[0].age == 3min);
  CHECK(n.bases[1].anchor.text() == "tcp://[2001:db8::1]:443");
  CHECK(n.learnt_bit_s == 123456789.5);
  CHECK(n.learnt_age == 2h);
  CHECK(n.penalty == 1234.5);
  CHECK(n.commit_slots == std::vector<float>{1e6f, 2.5e6f, 0});
  CHECK(loaded.state.nexthops.at("eth2 fe80::1").age == 24h);
  const auto& g = loaded.state.groups.at("eth1 198.51.100.1, eth2 fe80::1").memory;
  CHECK(g.shares.at("eth2 fe80::1") == 0.25);
  CHECK(g.memory.reverted);
  CHECK(g.memory.reverted_for == 10min);
  CHECK(g.memory.reverts == 3);
  CHECK(encode(loaded.state, kNow) == read(file.path()));
  CHECK_FALSE(fs::exists(file.path() + ".new"));
}

TEST_CASE("ages go by the wall clock, and nothing gets younger", "[state]") {
  const std::string text = encode(example(), kNow);
  CHECK(decode(text, kNow + 1h)->nexthops.at("eth1 198.51.100.1").age == 1h);
  CHECK(decode(text, kNow - 48h)->nexthops.at("eth1 198.51.100.1").age == 0s);
  const auto later = decode(text, kNow + 24h * 6 + 1min);
  CHECK(later->nexthops.contains("eth1 198.51.100.1"));
  CHECK_FALSE(later->nexthops.contains("eth2 fe80::1"));  // a week since that was in use
  CHECK_FALSE(decode(text, kNow + 24h * 7).has_value());
}

TEST_CASE("time passes over what is remembered", "[state]") {
  State state = example();
  auto& n = state.nexthops.at("eth1 198.51.100.1").memory;
  let_pass(n, 1min);
  CHECK(n.bases[0].age == 4min);
  CHECK(n.learnt_age == 121min);
  CHECK(n.penalty_age == 61s);
  CHECK(n.commit_age == 160s);
  auto& g = state.groups.begin()->second.memory.memory;
  let_pass(g, 4min);
  CHECK(g.reverted);
  CHECK(g.reverted_for == 6min);
  let_pass(g, 10min);
  CHECK_FALSE(g.reverted);
  CHECK(g.since_revert == 4min);
  CHECK(g.reverts == 3);
}

TEST_CASE("a group goes by its nexthops in any order, and by its variant", "[state]") {
  const std::vector<std::string> one{"b", "a"};
  const std::vector<std::string> other{"a", "b"};
  CHECK(state_key(one, "") == state_key(other, ""));
  CHECK(state_key(one, "voice") != state_key(one, ""));
  Nexthop nexthop;
  nexthop.interface = "eth1";
  nexthop.key.gateway = *IpAddress::parse("198.51.100.1");
  CHECK(state_key(nexthop) == "eth1 198.51.100.1");
}

TEST_CASE("no truncation and no flipped byte comes through", "[state]") {
  const std::string good = encode(example(), kNow);
  REQUIRE(decode(good, kNow).has_value());
  int believed = 0;
  for (std::size_t length = 0; length < good.size(); ++length)
    believed += decode(good.substr(0, length), kNow).has_value();
  CHECK(believed == 0);
  std::mt19937 random(1);
  for (std::size_t at = 0; at < good.size(); ++at)
    for (int i = 0; i < 4; ++i) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 + random() % 255));
      believed += decode(bad, kNow).has_value();
    }
  for (int i = 0; i < 2000; ++i) {
    std::string bad = good;
    for (int n = 1 + static_cast<int>(random() % 20); n > 0; --n)
      bad[random() % bad.size()] = static_cast<char>(random());
    if (bad != good) believed += decode(bad, kNow).has_value();
  }
  CHECK(believed == 0);
}

TEST_CASE("a body with a right checksum may still be absurd", "[state]") {
  const std::string good = encode(example(), kNow);
  const std::string body = good.substr(good.find("\"body\":") + 7);
  std::string inner = body.substr(0, body.size() - 2);
  REQUIRE(decode(with_body(inner), kNow).has_value());
  std::mt19937 random(2);
  int refused = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string bad = inner;
    for (int n = 1 + static_cast<int>(random() % 3); n > 0; --n) {
      static constexpr char kAlphabet[] = "-+.0123456789eE{}[],:\"ntf \\";
      const char with = kAlphabet[random() % (sizeof kAlphabet - 1)];
      const std::size_t at = random() % bad.size();
      if (random() % 2)
        bad[at] = with;
      else
        bad.insert(at, 1, with);
    }
    const auto state = decode(with_body(bad), kNow);
    if (state)
      check_sane(*state);
    else
      ++refused;
  }
  CHECK(refused > 1000);
  for (const char* odd : {"", "null", "[]", "{}", "{\"written_s\":-1}", "{\"written_s\":1e400}",
                          "{\"written_s\":1750000000,\"nexthops\":[],\"groups\":{}}"})
    CHECK_FALSE(decode(with_body(odd), kNow).has_value());
  CHECK_FALSE(decode(with_body(std::string(5'000'000, '[')), kNow).has_value());
}

TEST_CASE("what cannot be believed is set aside, the newest three of it", "[state]") {
  const Folder folder;
  const StateFile file(folder.file());
  CHECK_FALSE(file.load(kNow).trouble);  // none yet
  const auto trouble = [&](const std::string& text, WallTime now) {
    write(folder.file(), text);
    const auto loaded = file.load(now);
    CHECK(loaded.state.nexthops.empty());
    CHECK(loaded.usable);
    CHECK_FALSE(fs::exists(folder.file()));
    return loaded.trouble.value_or("");
  };
  const std::string good = encode(example(), kNow);
  CHECK_THAT(trouble("", kNow), Catch::Contains("no state of hopwise"));
  CHECK_THAT(trouble(good.substr(0, good.size() / 2), kNow + 1s), Catch::Contains("cut short"));
  std::string other = good;
  other.replace(other.find(":1,"), 3, ":2,");
  CHECK_THAT(trouble(other, kNow + 2s), Catch::Contains("not of version 1"));
  std::string flipped = good;
  flipped[good.size() / 2] ^= 1;
  CHECK_THAT(trouble(flipped, kNow + 3s), Catch::Contains("checksum"));
  CHECK_THAT(trouble(good, kNow + 24h * 8),
             Catch::Contains("8 days old") && Catch::Contains("set aside as " + folder.file()));
  CHECK(folder.set_aside() == 3);
  CHECK_FALSE(fs::exists(folder.file() + ".bad-20250615T150641Z"));  // an older one
  CHECK(fs::exists(folder.file() + ".bad-20250615T150642Z"));
}

TEST_CASE("a file of over 64 MB is set aside unread", "[state]") {
  const Folder folder;
  write(folder.file(), "x");
  fs::resize_file(folder.file(), (std::uintmax_t{64} << 20) + 1);
  const auto loaded = StateFile(folder.file()).load(kNow);
  CHECK_THAT(loaded.trouble.value_or(""), Catch::Contains("64 MB"));
  CHECK(folder.set_aside() == 1);
}

TEST_CASE("what is no regular file is neither read, moved nor replaced", "[state]") {
  const Folder folder;
  SECTION("a folder") {
    fs::create_directory(folder.file());
  }
  SECTION("a pipe") {
    REQUIRE(::mkfifo(folder.file().c_str(), 0600) == 0);
  }
  SECTION("a device") {
    fs::create_symlink("/dev/null", folder.file());
  }
  const auto type = fs::status(folder.file()).type();
  const auto loaded = StateFile(folder.file()).load(kNow);
  CHECK_THAT(loaded.trouble.value_or(""), Catch::Contains("no regular file"));
  CHECK_FALSE(loaded.usable);
  CHECK(fs::status(folder.file()).type() == type);
  CHECK(folder.set_aside() == 0);
}

TEST_CASE("a save that fails leaves the old file, and says why", "[state]") {
  const Folder folder;
  const StateFile file(folder.file());
  REQUIRE(file.save(example(), kNow).has_value());
  const std::string before = read(folder.file());
  fs::create_directory(folder.file() + ".new");
  const auto saved = file.save({}, kNow);
  REQUIRE_FALSE(saved.has_value());
  CHECK_THAT(saved.error().message, Catch::Contains(folder.file() + ".new"));
  CHECK(read(folder.file()) == before);
  const auto nowhere = StateFile("/proc/hopwise/state.json").save({}, kNow);
  REQUIRE_FALSE(nowhere.has_value());
  CHECK_THAT(nowhere.error().message, Catch::Contains("/proc/hopwise"));
}

TEST_CASE("whatever the engine remembers, what is written can be read", "[state]") {
  State state = example();
  auto& n = state.nexthops.at("eth1 198.51.100.1").memory;
  auto& g = state.groups.begin()->second.memory;
  const double odd = GENERATE(std::numeric_limits<double>::quiet_NaN(),
                              std::numeric_limits<double>::infinity(), -1.0, 0.0, 1e300);
  n.bases[0].rtt_ms = odd;
  n.bases[1].age = Duration::min();
  n.learnt_bit_s = odd;
  n.learnt_age = Duration::max();
  n.penalty = odd;
  n.commit_slots.assign(20'000, static_cast<float>(std::min(odd, 1e38)));
  n.commit_slots.back() = 7;
  n.commit_age = -1s;
  g.shares["eth2 fe80::1"] = odd;
  g.shares["eth1 198.51.100.1"] = 1 + 1e-15;
  g.memory.reverts = std::numeric_limits<std::uint32_t>::max();
  g.memory.reverted_for = Duration::min();
  state.nexthops["\xff\xfe odd"] = {};
  const auto loaded = decode(encode(state, kNow), kNow);
  REQUIRE(loaded.has_value());
  check_sane(*loaded);
  const auto& back = loaded->nexthops.at("eth1 198.51.100.1").memory;
  CHECK(back.bases.size() == 1);
  CHECK_FALSE(back.learnt_bit_s);
  CHECK(back.commit_slots.back() == 7);  // the newest are kept
  CHECK(loaded->groups.begin()->second.memory.shares.at("eth1 198.51.100.1") == 1);
}

TEST_CASE("a state file is one daemon's alone, for as long as it lives", "[state]") {
  const Folder folder;
  const StateFile file(folder.path / "made/state.json");
  {
    const auto first = file.claim();
    REQUIRE(first.has_value());
    CHECK(first->has_value());
    const auto second = file.claim();
    REQUIRE(second.has_error());
    CHECK_THAT(second.error().message, Catch::Contains("give each its own"));
  }
  const auto later = file.claim();
  REQUIRE(later.has_value());
  CHECK(later->has_value());
  CHECK_FALSE(StateFile("/proc/state.json").claim()->has_value());  // where no lock can be
}

TEST_CASE("a pipe in the place of the new state does not hold up the end", "[state]") {
  const Folder folder;
  REQUIRE(::mkfifo((folder.file() + ".new").c_str(), 0600) == 0);
  CHECK(StateFile(folder.file()).save(example(), kNow).has_error());
  CHECK(StateFile(folder.file()).save(example(), kNow).has_value());  // it is gone now
}

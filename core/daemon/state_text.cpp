// The state file's text: what is written, and what of a text is believed.
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/daemon/state_file.hpp"
#include "core/model/format.hpp"

namespace hopwise {
namespace {

using Json = nlohmann::json;

constexpr int kVersion = 1;
constexpr std::string_view kOpening = "{\"hopwise_state\":";
constexpr std::string_view kChecksum = ",\"sha256\":\"";
constexpr std::string_view kBody = "\",\"body\":";
constexpr std::string_view kClosing = "}\n";
constexpr double kLongestAge = 1e9;     // seconds
constexpr double kMostBits = 1e15;      // a second
constexpr double kLongestRtt = 60'000;  // milliseconds
constexpr double kMostPenalty = 1e9;
constexpr std::size_t kMostSlots = 31 * 288 + 1;  // of five minutes, in a period, and the open one
constexpr std::size_t kMostBases = 64;
constexpr std::size_t kMostShares = 256;
constexpr std::uint32_t kMostReverts = 1000;
constexpr std::size_t kMostEntries = 20'000;

std::string sha256(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &length, EVP_sha256(), nullptr) != 1)
    return "";
  std::string hex;
  for (unsigned i = 0; i < length; ++i) hex += format("%02x", digest[i]);
  return hex;
}

/// A value that cannot be believed; ends at decode().
struct Absurd {
  std::string what;
};

// --- writing: nothing that would not be believed ------------------------------------------------

double bounded(double x, double most) {
  return std::isfinite(x) ? std::clamp(x, 0.0, most) : 0;
}

double age(Duration age) {
  return bounded(seconds(age), kLongestAge);
}

Json write(const engine::NexthopMemory& m, Duration since) {
  Json bases = Json::array();
  for (const auto& base : m.bases)
    if (base.rtt_ms > 0 && base.rtt_ms <= kLongestRtt && bases.size() < kMostBases)
      bases.push_back(
          {{"anchor", base.anchor.text()}, {"rtt_ms", base.rtt_ms}, {"age_s", age(base.age)}});
  Json slots = Json::array();
  const std::size_t skip = m.commit_slots.size() - std::min(m.commit_slots.size(), kMostSlots);
  for (std::size_t i = skip; i < m.commit_slots.size(); ++i)
    slots.push_back(bounded(m.commit_slots[i], kMostBits));
  Json out{{"age_s", age(since)},
           {"bases", std::move(bases)},
           {"penalty", bounded(m.penalty, kMostPenalty)},
           {"penalty_age_s", age(m.penalty_age)},
           {"commit_bit_s", std::move(slots)},
           {"commit_age_s", age(m.commit_age)}};
  if (m.learnt_bit_s && *m.learnt_bit_s > 0 && *m.learnt_bit_s <= kMostBits) {
    out["learnt_bit_s"] = *m.learnt_bit_s;
    out["learnt_age_s"] = age(m.learnt_age);
  }
  return out;
}

Json write(const KeptGroup& g, Duration since) {
  Json shares = Json::object();
  for (const auto& [nexthop, wanted] : g.shares)
    if (shares.size() < kMostShares) shares[nexthop] = bounded(wanted, 1);
  return {{"age_s", age(since)},
          {"shares", std::move(shares)},
          {"reverted", g.memory.reverted},
          {"reverted_for_s", age(g.memory.reverted_for)},
          {"reverts", std::min(g.memory.reverts, kMostReverts)},
          {"since_revert_s", age(g.memory.since_revert)}};
}

// --- reading ----------------------------------------------------------------------------------

const Json& member(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (!object.is_object() || found == object.end()) throw Absurd{format("no \"%s\"", key)};
  return *found;
}

double number(const Json& value, const char* key, double most) {
  const double x = value.is_number() ? value.get<double>() : -1;
  if (!std::isfinite(x) || x < 0 || x > most)
    throw Absurd{format("\"%s\" is no number from 0 to %g", key, most)};
  return x;
}

double number(const Json& object, const char* key, double most, int) {
  return number(member(object, key), key, most);
}

Duration duration(const Json& object, const char* key) {
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(number(object, key, kLongestAge, 0)));
}

const Json& list(const Json& object, const char* key, std::size_t most) {
  const Json& found = member(object, key);
  if (!found.is_array() || found.size() > most)
    throw Absurd{format("\"%s\" is no list of at most %zu", key, most)};
  return found;
}

const Json& map(const Json& object, const char* key, std::size_t most) {
  const Json& found = member(object, key);
  if (!found.is_object() || found.size() > most)
    throw Absurd{format("\"%s\" is no object of at most %zu", key, most)};
  return found;
}

engine::NexthopMemory::Base read_base(const Json& value) {
  const Json& name = member(value, "anchor");
  const auto anchor = Anchor::parse(name.is_string() ? name.get<std::string>() : "");
  if (!anchor) throw Absurd{"\"anchor\" is none"};
  const double rtt_ms = number(value, "rtt_ms", kLongestRtt, 0);
  if (rtt_ms <= 0) throw Absurd{"\"rtt_ms\" is 0"};
  return {*anchor, rtt_ms, duration(value, "age_s")};
}

engine::NexthopMemory read_nexthop(const Json& value) {
  engine::NexthopMemory m;
  for (const Json& base : list(value, "bases", kMostBases)) m.bases.push_back(read_base(base));
  if (value.contains("learnt_bit_s")) {
    m.learnt_bit_s = number(value, "learnt_bit_s", kMostBits, 0);
    if (*m.learnt_bit_s <= 0) throw Absurd{"\"learnt_bit_s\" is 0"};
    m.learnt_age = duration(value, "learnt_age_s");
  }
  m.penalty = number(value, "penalty", kMostPenalty, 0);
  m.penalty_age = duration(value, "penalty_age_s");
  for (const Json& slot : list(value, "commit_bit_s", kMostSlots))
    m.commit_slots.push_back(static_cast<float>(number(slot, "commit_bit_s", kMostBits)));
  m.commit_age = duration(value, "commit_age_s");
  return m;
}

KeptGroup read_group(const Json& value) {
  KeptGroup g;
  const Json& shares = map(value, "shares", kMostShares);
  for (const auto& [nexthop, wanted] : shares.items())
    g.shares[nexthop] = number(wanted, "shares", 1);
  const Json& reverted = member(value, "reverted");
  if (!reverted.is_boolean()) throw Absurd{"\"reverted\" is neither true nor false"};
  g.memory.reverted = reverted.get<bool>();
  g.memory.reverted_for = duration(value, "reverted_for_s");
  g.memory.reverts = static_cast<std::uint32_t>(number(value, "reverts", kMostReverts, 0));
  g.memory.since_revert = duration(value, "since_revert_s");
  return g;
}

template <class Memory, class Read>
void read_entries(const Json& body, const char* key, Duration away, Read read,
                  std::map<std::string, Remembered<Memory>>& out) {
  const Json& entries = map(body, key, kMostEntries);
  for (const auto& [name, value] : entries.items()) {
    try {
      Remembered<Memory> entry{read(value), duration(value, "age_s")};
      entry.age += away;
      if (entry.age < kForgetAfter) out.emplace(name, std::move(entry));
    } catch (const Absurd& absurd) {
      throw Absurd{std::string(key) + " \"" + name + "\": " + absurd.what};
    }
  }
}

State read_body(const Json& body, WallTime now) {
  const double written = number(body, "written_s", 1e11, 0);
  const double away = std::max(0.0, seconds(now.time_since_epoch()) - written);
  if (away >= seconds(kForgetAfter)) throw Absurd{format("%.0f days old", away / 86400)};
  const auto passed = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(away));
  State state;
  read_entries(body, "nexthops", passed, read_nexthop, state.nexthops);
  read_entries(body, "groups", passed, read_group, state.groups);
  return state;
}

/// The body's bytes, where the envelope is whole and the checksum right.
Result<std::string_view> body_of(std::string_view text) {
  if (!text.starts_with(kOpening)) return Error{"no state of hopwise"};
  const std::string version = std::to_string(kVersion);
  std::string_view rest = text.substr(kOpening.size());
  if (!rest.starts_with(version) || !rest.substr(version.size()).starts_with(kChecksum))
    return Error{"not of version " + version};
  rest.remove_prefix(version.size() + kChecksum.size());
  const std::string_view sum = rest.substr(0, 64);
  rest.remove_prefix(sum.size());
  if (!rest.starts_with(kBody) || !rest.ends_with(kClosing)) return Error{"cut short"};
  rest.remove_prefix(kBody.size());
  rest.remove_suffix(std::min(rest.size(), kClosing.size()));
  if (sha256(rest) != sum) return Error{"corrupt: the checksum is of something else"};
  return rest;
}

}  // namespace

std::string encode(const State& state, WallTime now) {
  Json nexthops = Json::object();
  for (const auto& [key, entry] : state.nexthops) nexthops[key] = write(entry.memory, entry.age);
  Json groups = Json::object();
  for (const auto& [key, entry] : state.groups) groups[key] = write(entry.memory, entry.age);
  const Json body{{"written_s", seconds(now.time_since_epoch())},
                  {"nexthops", std::move(nexthops)},
                  {"groups", std::move(groups)}};
  // An interface's name may be any bytes.
  const std::string text = body.dump(-1, ' ', false, Json::error_handler_t::replace);
  std::string out(kOpening);
  out += std::to_string(kVersion);
  out.append(kChecksum).append(sha256(text)).append(kBody).append(text).append(kClosing);
  return out;
}

Result<State> decode(std::string_view text, WallTime now) {
  const auto body = body_of(text);
  if (!body) return body.error();
  const Json parsed = Json::parse(*body, nullptr, false);
  if (!parsed.is_object()) return Error{"no JSON object"};
  try {
    return {boost::system::in_place_value, read_body(parsed, now)};
  } catch (const Absurd& absurd) {
    return Error{absurd.what};
  }
}

}  // namespace hopwise

#include "core/daemon/memories.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "core/daemon/steering.hpp"

namespace hopwise {
namespace {

constexpr Duration kEvery = std::chrono::minutes(1);
constexpr std::size_t kMost = 10'000;  // nexthops, and as many groups

WallTime wall_now() {
  return std::chrono::system_clock::now();
}

std::string key_of(NexthopId id, const Steering& steering) {
  const auto found = steering.nexthops().find(id);
  return found == steering.nexthops().end() ? "" : state_key(found->second.nexthop);
}

std::string key_of(const Group& group, const Steering& steering) {
  std::vector<std::string> keys;
  for (const Path& path : group.paths) keys.push_back(key_of(path.nexthop, steering));
  const Variant& variant = group.variant;
  return state_key(keys,
                   variant.destination ? variant.destination->text() : steering.class_of(group));
}

// The oldest first, where there are too many.
template <class Map>
void drop_oldest(Map& kept, TimePoint now) {
  std::erase_if(kept, [&](const auto& entry) { return now - entry.second.at >= kForgetAfter; });
  while (kept.size() > kMost)
    kept.erase(std::min_element(kept.begin(), kept.end(), [](const auto& a, const auto& b) {
      return a.second.at < b.second.at;
    }));
}

}  // namespace

Memories::Memories(boost::asio::io_context& io, const std::string& path, engine::Engine& engine,
                   Log& log, Clock clock)
    : io_(io), engine_(engine), log_(log), clock_(std::move(clock)), saved_(clock_()) {
  if (!path.empty()) file_.emplace(path);
}

Memories::~Memories() {
  writer_.join();
}

void Memories::load() {
  if (!file_) return;
  auto claimed = file_->claim();
  if (!claimed) {
    log_.warn("state_not_kept", {{"file", file_->path()},
                                 {"because", claimed.error().message},
                                 {"instead", "nothing learnt outlives this run"}});
    return file_.reset();
  }
  claim_ = std::move(*claimed);
  StateFile::Loaded loaded = file_->load(wall_now());
  if (loaded.trouble)
    log_.warn("state_not_read", {{"file", file_->path()}, {"because", *loaded.trouble}});
  if (!loaded.usable) file_.reset();
  const TimePoint now = clock_();
  for (auto& [key, entry] : loaded.state.nexthops)
    nexthops_[key] = {std::move(entry.memory), now - entry.age};
  for (auto& [key, entry] : loaded.state.groups)
    groups_[key] = {std::move(entry.memory), now - entry.age};
  if (!nexthops_.empty() || !groups_.empty())
    log_.info("state_read", {{"file", file_->path()},
                             {"nexthops", std::to_string(nexthops_.size())},
                             {"groups", std::to_string(groups_.size())}});
}

void Memories::recall(const Nexthop& nexthop) {
  const auto kept = nexthops_.find(state_key(nexthop));
  if (kept == nexthops_.end()) return;
  engine::NexthopMemory memory = kept->second.memory;
  let_pass(memory, clock_() - kept->second.at);
  engine_.recall(nexthop.id, memory, clock_());
}

void Memories::recall(const Group& group, const Steering& steering, Shares shares) {
  const auto kept = groups_.find(key_of(group, steering));
  if (kept == groups_.end()) return;
  engine::GroupMemory memory = kept->second.memory.memory;
  let_pass(memory, clock_() - kept->second.at);
  if (shares == Shares::recalled)
    for (const Path& path : group.paths) {
      const auto& wanted = kept->second.memory.shares;
      if (const auto found = wanted.find(key_of(path.nexthop, steering)); found != wanted.end())
        memory.shares.push_back({path.nexthop, found->second});
    }
  engine_.recall(group.id, memory, clock_());
}

void Memories::gather(const Steering& steering) {
  const TimePoint now = clock_();
  for (const auto& [id, record] : steering.nexthops())
    if (auto memory = engine_.memory(id, now))
      nexthops_[state_key(record.nexthop)] = {std::move(*memory), now};
  for (const Group* group : steering.groups()) {
    auto memory = engine_.memory(group->id, now);
    if (!memory) continue;
    KeptGroup kept;
    for (const auto& share : memory->shares)
      kept.shares[key_of(share.nexthop, steering)] = share.wanted;
    memory->shares.clear();
    kept.memory = std::move(*memory);
    groups_[key_of(*group, steering)] = {std::move(kept), now};
  }
  drop_oldest(nexthops_, now);
  drop_oldest(groups_, now);
}

State Memories::state() const {
  const TimePoint now = clock_();
  State state;
  for (const auto& [key, kept] : nexthops_) state.nexthops[key] = {kept.memory, now - kept.at};
  for (const auto& [key, kept] : groups_) state.groups[key] = {kept.memory, now - kept.at};
  return state;
}

void Memories::every_second(const Steering& steering) {
  if (saving_ || clock_() - saved_ < kEvery) return;
  saved_ = clock_();
  gather(steering);
  if (file_) save_soon();
}

// memories -> disk, on the writer's thread -> log
void Memories::save_soon() {
  saving_ = true;
  boost::asio::post(writer_, [this, file = *file_, state = state(), wall = wall_now()] {
    auto saved = file.save(state, wall);
    boost::asio::post(io_, [this, saved] {
      saving_ = false;
      tell(saved);
    });
  });
}

void Memories::save_now(const Steering& steering) {
  writer_.join();
  gather(steering);
  if (file_) tell(file_->save(state(), wall_now()));
}

void Memories::tell(const Result<>& saved) {
  if (!saved && !warned_)
    log_.warn("state_not_written", {{"file", file_->path()}, {"error", saved.error().message}});
  warned_ = !saved;
}

}  // namespace hopwise

#include "core/daemon/history.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <thread>

namespace hopwise {
namespace {

using Patience = std::chrono::milliseconds;

// One that was just killed may still be dying, and hold the file.
constexpr Patience kDying{1000};
constexpr Patience kLook{50};

}  // namespace

History::History(Parts parts, const config::History& options)
    : parts_(std::move(parts)), options_(options) {
  journal_.started = parts_.now();
  open(options);
}

History::~History() {
  wait_and_hear();
  if (file_) static_cast<void>(file_->flush());
}

void History::reconfigure(const config::History& options) {
  if (options == options_) return;
  wait_and_hear();
  if (file_) wrote(file_->flush());
  options_ = options;
  open(options);
}

void History::open(const config::History& options) {
  file_.reset();
  status_.file = options.file;
  status_.trouble.clear();
  if (options.file.empty() || !take_file(options)) return;
  take_up(options.file, options.size_bytes);
}

// False where it is another's.
bool History::take_file(const config::History& options) {
  file_ = std::make_unique<HistoryFile>(options.file, options.size_bytes);
  auto opened = file_->open();
  for (auto waited = Patience(0); file_->is_anothers() && waited < kDying; waited += kLook) {
    std::this_thread::sleep_for(kLook);
    opened = file_->open();
  }
  wrote(opened);
  if (!file_->is_anothers()) return true;
  file_.reset();
  return false;
}

// Numbers go on after the file's. Its events are shown only where this run has none yet: they
// would stand behind younger ones.
void History::take_up(const std::string& file, std::uint64_t size) {
  const auto found = read_history(file, size);
  if (!found) return parts_.log.warn("history_unreadable", {{"error", found.error().message}});
  const bool first = kept_.empty();
  status_.corrupt += found->corrupt;
  const auto& lines = found->lines;
  std::size_t begin = lines.size();
  for (std::size_t bytes = 0; begin > 0 && bytes < kMostKept; bytes += lines[begin].size()) --begin;
  for (; begin < lines.size(); ++begin) {
    auto record = api::read_event(lines[begin]);
    if (!record) {
      ++status_.corrupt;
      continue;
    }
    status_.last = std::max(status_.last, record->sequence);
    if (first && (kept_.empty() || record->sequence > kept_.back().sequence))
      keep(std::move(*record));
  }
  if (status_.corrupt > 0)
    parts_.log.warn("history_damaged", {{"file", file},
                                        {"records", std::to_string(status_.corrupt)},
                                        {"then", "they are left out"}});
}

void History::keep(EventRecord record) {
  kept_bytes_ += record.json.size();
  kept_.push_back(std::move(record));
  while (kept_bytes_ > kMostKept && kept_.size() > 1) {
    kept_bytes_ -= kept_.front().json.size();
    kept_.pop_front();
  }
}

std::uint64_t History::record(EventKind kind, What what) {
  const Event event{++status_.last, parts_.wall(), parts_.now(), kind, std::move(what)};
  EventRecord record = api::record_of(event, parts_.name);
  ++status_.events;
  if (file_) {
    append(record.json);
    if (!under_way_.valid() && file_->waiting_bytes() >= kWriteAt && status_.trouble.empty())
      flush();
  }
  keep(std::move(record));
  return event.sequence;
}

// file_, or what waits for it.
void History::append(const std::string& json) {
  if (!under_way_.valid()) {
    const std::uint64_t before = file_->dropped();
    file_->append(json);
    status_.dropped += file_->dropped() - before;
    return;
  }
  meanwhile_.push_back(json);
  meanwhile_bytes_ += json.size();
  while (meanwhile_bytes_ > HistoryFile::kMostWaiting && meanwhile_.size() > 1) {
    meanwhile_bytes_ -= meanwhile_.front().size();
    meanwhile_.pop_front();
    ++status_.dropped;
  }
}

void History::flush() {
  if (hear(Patience(0)) && file_) begin_write();
}

bool History::flush_within(Patience patience) {
  if (!file_) return true;
  if (!hear(patience)) return false;
  begin_write();
  return hear(patience);
}

// events -> disk, on the writer's thread
void History::begin_write() {
  std::packaged_task<Result<>()> write([file = file_.get()] { return file->flush(); });
  under_way_ = write.get_future();
  boost::asio::post(writer_, std::move(write));
}

// True where no write is under way any more.
bool History::hear(Patience patience) {
  if (!under_way_.valid()) return true;
  if (under_way_.wait_for(patience) != std::future_status::ready) return false;
  const auto written = under_way_.get();
  for (const std::string& json : meanwhile_) append(json);
  meanwhile_.clear();
  meanwhile_bytes_ = 0;
  wrote(written);
  return true;
}

void History::wait_and_hear() {
  if (under_way_.valid()) under_way_.wait();
  hear(Patience(0));
}

void History::wrote(const Result<>& written) {
  if (!written) {
    ++status_.write_failures;
    if (status_.trouble.empty())
      parts_.log.warn("history_not_written", {{"error", written.error().message},
                                              {"instead", "events are kept in memory"}});
    status_.trouble = written.error().message;
    return;
  }
  if (status_.trouble.empty()) return;
  status_.trouble.clear();
  parts_.log.info("history_written_again", {{"file", options_.file}});
}

void History::started(const std::string& detail) {
  record(EventKind::start, Notice{detail});
}

void History::stopping(const std::string& detail) {
  record(EventKind::stop, Notice{detail});
}

void History::reloaded(const std::string& detail) {
  ++journal_.reloads;
  record(EventKind::reload, Notice{detail});
}

void History::reload_failed(const std::string& detail) {
  ++journal_.reload_failures;
  record(EventKind::reload, Notice{detail, true});
}

void History::speaker_told(const Notice& notice) {
  record(EventKind::speaker, notice);
}

void History::decided(const Decision& decision) {
  ++journal_.by_reason[decision.reason];
  journal_.recent.push_back(decision);
  if (journal_.recent.size() > Journal::kRecent) journal_.recent.pop_front();
  const std::uint64_t event = record(EventKind::decision, decision);
  if (decision.id == 0) return;
  decisions_[decision.id] = {event, decision.reason};
  if (decisions_.size() > kDecisionsKnown) decisions_.erase(decisions_.begin());
}

void History::took_effect(const Effect& effect) {
  EffectOf what{effect};
  if (const auto found = decisions_.find(effect.decision); found != decisions_.end()) {
    what.event = found->second.event;
    what.reason = found->second.reason;
  }
  record(EventKind::effect, std::move(what));
}

void History::saw(NexthopId id, PathState state) {
  const auto known = states_.find(id);
  if (known == states_.end()) {
    states_.emplace(id, StateSeen{state, parts_.now()});
    return;
  }
  if (known->second.state == state) return;
  record(EventKind::nexthop, NexthopChange{id, known->second.state, state});
  known->second = {state, parts_.now()};
}

std::optional<TimePoint> History::state_since(NexthopId id) const {
  const auto known = states_.find(id);
  return known == states_.end() ? std::nullopt : std::optional(known->second.since);
}

EventPage History::page(const EventQuery& query) {
  if (status_.trouble.empty()) flush_within(kPatience);
  EventPage page;
  page.last = status_.last;
  page.first = kept_.empty() ? 0 : kept_.front().sequence;
  page.file = options_.file;
  for (auto event = kept_.rbegin(); event != kept_.rend() && page.events.size() < query.limit;
       ++event) {
    if (event->sequence <= query.after) break;
    if (query.accepts(*event)) page.events.push_back(*event);
  }
  std::ranges::reverse(page.events);
  return page;
}

HistoryStatus History::status() const {
  return status_;
}

}  // namespace hopwise

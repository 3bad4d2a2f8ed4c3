#include "core/engine/commit.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace hopwise::engine {
namespace {

constexpr double kSlot_s = seconds(Commit::kSlot);

std::int64_t slot_of(TimePoint at) {
  return at.time_since_epoch() / Commit::kSlot;
}

}  // namespace

void Commit::set(std::optional<double> bit_s) {
  if (bit_s && !(std::isfinite(*bit_s) && *bit_s >= 0)) bit_s.reset();
  if (bit_s == commit_) return;
  commit_ = bit_s;
  if (!commit_) {
    *this = {};
    return;
  }
  slots_.reserve(kSlots);
  above_ = static_cast<std::size_t>(
      std::count_if(slots_.begin(), slots_.end(), [&](float slot) { return over(slot); }));
  spent_ = false;
  judge();
}

void Commit::count(double bit_s, Duration over, TimePoint at) {
  if (!commit_) return;
  const std::int64_t number = slot_of(at);
  if (open_ && number < *open_) return;
  if (!open_) open_ = number;
  if (number > *open_) close(number);
  open_bits_ += bit_s * seconds(over);
  judge();
}

bool Commit::over(float bit_s) const {
  return commit_ && bit_s > *commit_;
}

// What was not counted since the open slot is nothing.
void Commit::close(std::int64_t number) {
  append(static_cast<float>(open_bits_ / kSlot_s));
  const auto away = std::min<std::int64_t>(number - *open_ - 1, kSlots);
  for (std::int64_t i = 0; i < away; ++i) append(0);
  open_ = number;
  open_bits_ = 0;
  const auto n = static_cast<double>(slots_.size());
  percentile_ = ranked(static_cast<std::size_t>(std::ceil(0.95 * n)) - 1);
}

void Commit::append(float bit_s) {
  if (slots_.size() < kSlots) {
    slots_.push_back(bit_s);
  } else {
    above_ -= over(slots_[next_]);
    slots_[next_] = bit_s;
  }
  next_ = (next_ + 1) % kSlots;
  above_ += over(bit_s);
}

// Floats that are not negative are in the order of their bits.
float Commit::ranked(std::size_t rank) const {
  std::uint32_t low = 0;
  std::uint32_t high = std::bit_cast<std::uint32_t>(std::numeric_limits<float>::infinity());
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    const auto limit = std::bit_cast<float>(middle);
    const auto below =
        std::count_if(slots_.begin(), slots_.end(), [&](float slot) { return slot <= limit; });
    if (static_cast<std::size_t>(below) > rank)
      high = middle;
    else
      low = middle + 1;
  }
  return std::bit_cast<float>(low);
}

std::size_t Commit::left() const {
  if (!commit_) return kFreeSlots;
  const std::size_t used = above_ + (open_bits_ > *commit_ * kSlot_s ? 1 : 0);
  return kFreeSlots - std::min(used, kFreeSlots);
}

void Commit::judge() {
  if (left() <= kReserve) spent_ = true;
  if (left() >= kRegained) spent_ = false;
}

void Commit::remember(NexthopMemory& memory, TimePoint now) const {
  memory.commit_slots.clear();
  if (!open_) return;
  memory.commit_slots.reserve(slots_.size() + 1);
  const auto oldest =
      slots_.begin() + static_cast<std::ptrdiff_t>(slots_.size() < kSlots ? 0 : next_);
  memory.commit_slots.insert(memory.commit_slots.end(), oldest, slots_.end());
  memory.commit_slots.insert(memory.commit_slots.end(), slots_.begin(), oldest);
  memory.commit_slots.push_back(static_cast<float>(open_bits_ / kSlot_s));
  memory.commit_age = now - TimePoint{*open_ * kSlot};
}

void Commit::recall(const NexthopMemory& memory, TimePoint now) {
  if (memory.commit_slots.empty() || memory.commit_age < Duration::zero()) return;
  const auto sound = [](float slot) { return std::isfinite(slot) && slot >= 0; };
  if (!std::all_of(memory.commit_slots.begin(), memory.commit_slots.end(), sound)) return;
  const auto bit_s = commit_;
  *this = {};
  commit_ = bit_s;
  slots_.reserve(kSlots);
  const std::size_t whole = memory.commit_slots.size() - 1;
  for (std::size_t i = whole - std::min(whole, kSlots); i < whole; ++i)
    append(memory.commit_slots[i]);
  open_bits_ = memory.commit_slots.back() * kSlot_s;
  open_ = slot_of(now) - std::min<std::int64_t>(memory.commit_age / kSlot, kSlots + 1);
  if (*open_ < slot_of(now)) close(slot_of(now));
  if (!percentile_ && !slots_.empty())
    percentile_ =
        ranked(static_cast<std::size_t>(std::ceil(0.95 * static_cast<double>(slots_.size()))) - 1);
  judge();
}

}  // namespace hopwise::engine

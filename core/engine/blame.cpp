#include "core/engine/blame.hpp"

#include <algorithm>

namespace hopwise::engine {

void Blame::advance(const std::map<NexthopId, TrackedNexthop>& nexthops,
                    const std::set<Anchor>& answered, TimePoint now) {
  for (auto& [anchor, word] : words_) word = {};
  for (const auto& [id, nexthop] : nexthops) {
    if (nexthop.groups == 0 || !nexthop.reachable()) continue;
    Arena arena;
    const auto verdicts = nexthop.verdicts(now, answered, arena);
    const auto well = std::count_if(verdicts.begin(), verdicts.end(),
                                    [](const auto& v) { return v.verdict == Verdict::well; });
    for (const auto& [anchor, verdict] : verdicts) {
      if (verdict == Verdict::none) continue;
      Word& word = words_[*anchor];
      ++word.asked;
      word.bad += verdict == Verdict::bad;
      word.well += verdict == Verdict::well;
      word.others_well = word.others_well && well > (verdict == Verdict::well ? 1 : 0);
    }
  }
  for (auto entry = words_.begin(); entry != words_.end();) {
    const auto& [anchor, word] = *entry;
    const bool fails = word.asked >= 2 && word.bad == word.asked && word.others_well;
    if (fails)
      blamed_.insert(anchor);
    else if (word.asked == 0 || word.well > 0)
      blamed_.erase(anchor);
    entry = word.asked == 0 ? words_.erase(entry) : std::next(entry);
  }
}

}  // namespace hopwise::engine

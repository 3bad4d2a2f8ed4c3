#include "core/engine/blame.hpp"

#include <algorithm>

namespace hopwise::engine {
namespace {

struct Word {
  int asked = 0;
  int bad = 0;
  int well = 0;
  bool others_well = true;  // through each nexthop some other anchor is
};

}  // namespace

std::set<Anchor> blame(const std::map<NexthopId, TrackedNexthop>& nexthops,
                       const std::set<Anchor>& before, const std::set<Anchor>& answered,
                       TimePoint now) {
  std::map<Anchor, Word> words;
  for (const auto& [id, nexthop] : nexthops) {
    if (nexthop.groups == 0 || !nexthop.reachable()) continue;
    const auto verdicts = nexthop.verdicts(now, answered);
    const auto well = std::count_if(verdicts.begin(), verdicts.end(),
                                    [](const auto& v) { return v.second == Verdict::well; });
    for (const auto& [anchor, verdict] : verdicts) {
      if (verdict == Verdict::none) continue;
      Word& word = words[anchor];
      ++word.asked;
      word.bad += verdict == Verdict::bad;
      word.well += verdict == Verdict::well;
      word.others_well = word.others_well && well > (verdict == Verdict::well ? 1 : 0);
    }
  }
  std::set<Anchor> blamed;
  for (const auto& [anchor, word] : words) {
    const bool fails = word.asked >= 2 && word.bad == word.asked && word.others_well;
    if (fails || (before.contains(anchor) && word.well == 0)) blamed.insert(anchor);
  }
  return blamed;
}

}  // namespace hopwise::engine

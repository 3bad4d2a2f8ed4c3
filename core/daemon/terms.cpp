#include "core/daemon/terms.hpp"

#include <algorithm>

namespace hopwise {
namespace {

using config::TermsConfig;

bool fits(const config::GroupConfig& entry, const std::vector<const Nexthop*>& nexthops) {
  return std::all_of(nexthops.begin(), nexthops.end(), [&](const Nexthop* nexthop) {
    return std::any_of(entry.nexthops.begin(), entry.nexthops.end(),
                       [&](const std::string& named) { return names(named, *nexthop); });
  });
}

const config::ClassConfig* configured_class(const Variant& variant, const config::Config& config) {
  if (variant.traffic_class == 0 || variant.traffic_class > config.classes.size()) return nullptr;
  return &config.classes[variant.traffic_class - 1U];
}

std::vector<engine::Preference> resolve(const std::vector<config::PreferenceConfig>& preferred,
                                        const std::vector<const Nexthop*>& nexthops) {
  std::vector<engine::Preference> resolved;
  for (const config::PreferenceConfig& preference : preferred)
    for (const Nexthop* nexthop : nexthops)
      if (names(preference.nexthop, *nexthop)) resolved.push_back({nexthop->id, preference.worth});
  return resolved;
}

void apply(const TermsConfig& said, const std::vector<const Nexthop*>& nexthops,
           engine::GroupTerms& terms) {
  if (said.policy) terms.policy = *said.policy;
  if (said.objectives) terms.objectives = *said.objectives;
  if (said.prefer) terms.preferences = resolve(*said.prefer, nexthops);
  if (said.mode) terms.mode = *said.mode;
  if (said.revert) terms.revert = *said.revert;
}

}  // namespace

bool names(const std::string& named, const Nexthop& nexthop) {
  if (named == nexthop.name) return true;
  const std::string_view text = named;
  const auto at = text.find('@');
  const bool of_interface = at == text.npos || text.substr(at + 1) == nexthop.interface;
  return of_interface && IpAddress::parse(text.substr(0, at)) == nexthop.key.gateway;
}

const config::GroupConfig* configured_group(const std::vector<const Nexthop*>& nexthops,
                                            const config::Config& config) {
  const auto entry =
      std::find_if(config.groups.begin(), config.groups.end(),
                   [&](const config::GroupConfig& group) { return fits(group, nexthops); });
  return entry == config.groups.end() ? nullptr : &*entry;
}

engine::GroupTerms terms_of(const Variant& variant, const std::vector<const Nexthop*>& nexthops,
                            const config::Config& config) {
  engine::GroupTerms terms;
  terms.policy = config.engine.policy;
  if (const auto* group = configured_group(nexthops, config); group != nullptr)
    apply(group->terms, nexthops, terms);
  if (const auto* traffic = configured_class(variant, config); traffic != nullptr)
    apply(traffic->terms, nexthops, terms);
  if (config.dry_run) terms.mode = engine::Mode::dry_run;
  return terms;
}

engine::NexthopTerms terms_of(const config::NexthopConfig* told) {
  engine::NexthopTerms terms;
  if (told == nullptr) return terms;
  if (told->capacity_bit_s)
    terms.capacity = engine::Capacity{static_cast<double>(*told->capacity_bit_s), true};
  if (told->commit_bit_s) terms.commit_bit_s = static_cast<double>(*told->commit_bit_s);
  terms.price = told->price;
  return terms;
}

config::Config with_class_numbers(config::Config wanted, const config::Config& running) {
  const std::vector<config::ClassConfig>& before = running.classes;
  std::vector<config::ClassConfig> placed(dataplane::Dataplane::limits().classes);
  std::vector<std::uint8_t> number(wanted.classes.size());
  const auto place = [&](std::size_t i, const auto& may_have) {
    for (std::size_t at = 0; at < placed.size() && number[i] == 0; ++at) {
      if (!placed[at].name.empty() || !may_have(at)) continue;
      placed[at] = wanted.classes[i];
      number[i] = static_cast<std::uint8_t>(at + 1);
    }
  };
  const auto had = [&](std::size_t at) {
    return at < before.size() ? before[at].name : std::string();
  };
  for (std::size_t i = 0; i < number.size(); ++i)
    place(i, [&](std::size_t at) { return had(at) == wanted.classes[i].name; });
  for (std::size_t i = 0; i < number.size(); ++i)  // rather not what another leaves behind
    place(i, [&](std::size_t at) { return had(at).empty(); });
  for (std::size_t i = 0; i < number.size(); ++i) place(i, [](std::size_t) { return true; });

  while (!placed.empty() && placed.back().name.empty()) placed.pop_back();
  for (ClassRule& rule : wanted.class_rules)
    if (rule.traffic_class >= 1 && rule.traffic_class <= number.size())
      rule.traffic_class = number[rule.traffic_class - 1U];
  wanted.classes = std::move(placed);
  return wanted;
}

std::string class_name(const Variant& variant, const config::Config& config) {
  const auto* traffic = configured_class(variant, config);
  return traffic == nullptr ? std::string() : traffic->name;
}

}  // namespace hopwise

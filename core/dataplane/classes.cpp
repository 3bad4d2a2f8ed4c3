// A prefix becomes a network and a mask, so that a program compares words and counts no bits.
#include "core/dataplane/classes.hpp"

#include <algorithm>
#include <cstring>
#include <string>

namespace hopwise::dataplane {
namespace {

struct Side {
  __u8* network;
  __u8* mask;
};

void write(const Prefix& prefix, Side side) {
  const auto& bytes = prefix.address.bytes;
  std::memcpy(side.network, bytes.data(), bytes.size());
  for (int bit = 0; bit < prefix.length; ++bit)
    side.mask[bit / 8] = static_cast<__u8>(side.mask[bit / 8] | 0x80 >> bit % 8);
}

void write(const PortRange& range, __u16* entry) {
  entry[0] = range.first;
  entry[1] = range.last;
}

hw_class_rule entry_of(const ClassRule& rule) {
  hw_class_rule entry{};
  entry.dscp = rule.dscp;
  entry.protocol = rule.protocol;
  entry.traffic_class = rule.traffic_class;
  if (rule.source) {
    entry.family = static_cast<__u8>(rule.source->address.family);
    entry.looks_at |= HW_RULE_SOURCE;
    write(*rule.source, {entry.source, entry.source_mask});
  }
  if (rule.destination) {
    entry.family = static_cast<__u8>(rule.destination->address.family);
    entry.looks_at |= HW_RULE_DESTINATION;
    write(*rule.destination, {entry.destination, entry.destination_mask});
  }
  if (rule.source_port || rule.destination_port) entry.looks_at |= HW_RULE_PORTS;
  write(rule.source_port.value_or(PortRange{}), entry.source_port);
  write(rule.destination_port.value_or(PortRange{}), entry.destination_port);
  return entry;
}

}  // namespace

Result<std::vector<hw_class_rule>> class_entries(const std::vector<ClassRule>& rules) {
  if (rules.size() > HW_MAX_CLASS_RULES)
    return Error{"set " + std::to_string(rules.size()) + " rules of classes: at most " +
                 std::to_string(HW_MAX_CLASS_RULES) + " fit"};
  std::vector<hw_class_rule> entries;
  for (const ClassRule& rule : rules) {
    if (rule.traffic_class == 0 || rule.traffic_class >= HW_MAX_CLASSES)
      return Error{"set a rule of class " + std::to_string(rule.traffic_class) +
                   ": classes are 1 to " + std::to_string(HW_MAX_CLASSES - 1)};
    if (rule.source && rule.destination &&
        rule.source->address.family != rule.destination->address.family)
      return Error{"set a rule of class " + std::to_string(rule.traffic_class) + ": from " +
                   rule.source->text() + " to " + rule.destination->text() +
                   ": nothing can fit it"};
    entries.push_back(entry_of(rule));
  }
  return {boost::system::in_place_value, std::move(entries)};
}

}  // namespace hopwise::dataplane

#include "test/bpf/conversation.hpp"

#include <algorithm>

#include "test/catch.hpp"

namespace hopwise::test {
namespace {

void put16(Bytes& bytes, std::uint32_t value) {
  bytes.push_back(static_cast<std::uint8_t>(value >> 8));
  bytes.push_back(static_cast<std::uint8_t>(value));
}
void put32(Bytes& bytes, std::uint32_t value) {
  put16(bytes, value >> 16);
  put16(bytes, value & 0xffff);
}

std::size_t transport_at(const PacketSpec& spec) {
  return kEthernetBytes + (IpAddress::parse(spec.source)->is_v4() ? 20 : 40);
}

// What follows the ports, without data.
Bytes tcp(const Segment& segment) {
  Bytes options = segment.options;
  if (options.empty() && segment.timestamps) {
    options = {1, 1, 8, 10};
    put32(options, segment.timestamps->first);
    put32(options, segment.timestamps->second);
  }
  while (options.size() % 4 != 0) options.push_back(0);
  Bytes header;
  put32(header, segment.sequence);
  put32(header, segment.acknowledged);
  const auto words = static_cast<std::uint32_t>(5 + options.size() / 4);
  put16(header, words << 12 | segment.flags);
  put16(header, segment.window);
  put32(header, 0);
  header.insert(header.end(), options.begin(), options.end());
  return header;
}

Bytes with_header(PacketSpec spec, const Bytes& header, std::size_t payload) {
  spec.payload = header.size() + payload - 4;  // build() makes 8 bytes, of which 4 are the ports
  Bytes frame = build(spec);
  std::copy(header.begin(), header.end(),
            frame.begin() + static_cast<std::ptrdiff_t>(transport_at(spec) + 4));
  return frame;
}

Skb skb_of(Aggregate aggregate) {
  Skb skb;
  if (aggregate.packets > 1) {
    skb.gso_segs = aggregate.packets;
    skb.gso_size = 1000;
  }
  return skb;
}

}  // namespace

Conversation::Conversation(Router& router, Family family, std::uint8_t protocol) : router_(router) {
  spec_.protocol = protocol;
  if (family == Family::v6) spec_ = to_v6(spec_);
}

void Conversation::send_frame(const Bytes& frame, Aggregate aggregate) {
  REQUIRE(router_.steer(frame, skb_of(aggregate)).verdict == kRedirect);
}
void Conversation::receive_frame(const Bytes& frame, Aggregate aggregate) {
  REQUIRE(router_.observe(frame, skb_of(aggregate)) == kPassed);
}
void Conversation::send(const Segment& segment, Aggregate aggregate) {
  send_frame(frame_of(segment), aggregate);
}
void Conversation::receive(const Segment& segment, Aggregate aggregate) {
  receive_frame(answer_of(segment), aggregate);
}

Bytes Conversation::frame_of(const Segment& segment) const {
  return with_header(spec_, tcp(segment), segment.payload);
}
Bytes Conversation::answer_of(const Segment& segment) const {
  return with_header(reversed(spec_), tcp(segment), segment.payload);
}

Bytes Conversation::icmp(std::uint16_t sequence, bool reply) const {
  PacketSpec spec = reply ? reversed(spec_) : spec_;
  Bytes frame = build(spec);
  frame.at(transport_at(spec) + 6) = static_cast<std::uint8_t>(sequence >> 8);
  frame.at(transport_at(spec) + 7) = static_cast<std::uint8_t>(sequence);
  return frame;
}
void Conversation::ping(std::uint16_t sequence) {
  send_frame(icmp(sequence, false));
}
void Conversation::pong(std::uint16_t sequence) {
  receive_frame(icmp(sequence, true));
}

Bytes Conversation::datagram(const PacketSpec& spec, const Bytes& content) const {
  Bytes rest;
  put16(rest, static_cast<std::uint32_t>(8 + content.size()));
  put16(rest, 0);
  rest.insert(rest.end(), content.begin(), content.end());
  return with_header(spec, rest, 0);
}
void Conversation::send_datagram(const Bytes& content) {
  send_frame(datagram(spec_, content));
}
void Conversation::receive_datagram(const Bytes& content) {
  receive_frame(datagram(reversed(spec_), content));
}

hw_flow Conversation::entry() const {
  const auto flow = router_.flow(spec_);
  const auto entry = flow ? flow : router_.embryo(spec_);
  REQUIRE(entry);
  return *entry;
}

void Conversation::set_entry(const hw_flow& entry) {
  router_.set_flow(spec_, entry);
}

void Conversation::age(Duration by) {
  hw_flow flow = entry();
  const auto earlier = [&](__u64& at) {
    if (at != 0) at -= static_cast<__u64>(by.count());
  };
  earlier(flow.started_ns);
  earlier(flow.last_seen_ns);
  earlier(flow.moved_ns);
  earlier(flow.seen.stamp_ns);
  earlier(flow.seen.progress_ns);
  earlier(flow.seen.high_ns);
  set_entry(flow);
}

PathTraffic Conversation::traffic() const {
  return router_.dataplane().counters().paths.at(PathId{entry().path});
}

}  // namespace hopwise::test

#include "test/bpf/conversation.hpp"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "core/dataplane/pins.hpp"
#include "test/catch.hpp"

namespace hopwise::test {
namespace fs = std::filesystem;
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

}  // namespace

int run_on(int program_fd, const Bytes& frame, Aggregate aggregate) {
  __sk_buff skb{};
  Bytes out(frame.size() + 256);
  if (aggregate.packets > 1) {
    skb.gso_segs = aggregate.packets;
    skb.gso_size = 1000;
  }
  bpf_test_run_opts run{};
  run.sz = sizeof(run);
  run.data_in = frame.data();
  run.data_size_in = static_cast<__u32>(frame.size());
  run.data_out = out.data();
  run.data_size_out = static_cast<__u32>(out.size());
  run.ctx_in = &skb;
  run.ctx_size_in = sizeof(skb);
  run.repeat = 1;
  const int failed = bpf_prog_test_run_opts(program_fd, &run);
  INFO("test run of " << frame.size() << " bytes: " << failed);
  REQUIRE(failed == 0);
  return static_cast<int>(run.retval);
}

Conversation::Conversation(Router& router, Family family, std::uint8_t protocol) : router_(router) {
  spec_.protocol = protocol;
  if (family == Family::v6) spec_ = to_v6(spec_);
}

void Conversation::send_frame(const Bytes& frame, Aggregate aggregate) {
  REQUIRE(run_on(router_.steer_fd(), frame, aggregate) == kRedirect);
}
void Conversation::receive_frame(const Bytes& frame, Aggregate aggregate) {
  REQUIRE(run_on(router_.observe_fd(), frame, aggregate) == kPassed);
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

hw_flow_key Conversation::key() const {
  const IpAddress source = *IpAddress::parse(spec_.source);
  const IpAddress destination = *IpAddress::parse(spec_.destination);
  const bool icmp = spec_.protocol == IPPROTO_ICMP || spec_.protocol == IPPROTO_ICMPV6;
  hw_flow_key key{};
  std::copy_n(source.bytes.begin(), source.size(), key.source);
  std::copy_n(destination.bytes.begin(), destination.size(), key.destination);
  key.source_port = htons(spec_.source_port);
  key.destination_port = htons(icmp ? spec_.source_port : spec_.destination_port);
  key.family = source.is_v4() ? 4 : 6;
  key.protocol = spec_.protocol;
  return key;
}

int Conversation::map(const char* name) const {
  const fs::path folder =
      fs::directory_iterator(router_.pin_root())->path() / dataplane::abi_name();
  const int fd = bpf_obj_get((folder / name).c_str());
  REQUIRE(fd >= 0);
  return fd;
}

hw_flow Conversation::entry() const {
  const hw_flow_key key = this->key();
  hw_flow flow{};
  for (const char* name : {"hw_flows", "hw_embryos"}) {
    const int fd = map(name);
    const int failed = bpf_map_lookup_elem(fd, &key, &flow);
    close(fd);
    if (failed == 0) return flow;
  }
  FAIL("the flow has no entry");
  return flow;
}

void Conversation::set_entry(const hw_flow& entry) {
  const hw_flow_key key = this->key();
  for (const char* name : {"hw_flows", "hw_embryos"}) {
    const int fd = map(name);
    const int failed = bpf_map_update_elem(fd, &key, &entry, BPF_EXIST);
    close(fd);
    if (failed == 0) return;
  }
  FAIL("the flow has no entry");
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
  const __u32 path = entry().path;
  const int fd = map("hw_traffic");
  std::vector<hw_traffic> per_cpu(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  const int failed = bpf_map_lookup_elem(fd, &path, per_cpu.data());
  close(fd);
  REQUIRE(failed == 0);
  PathTraffic sum;
  for (const hw_traffic& cpu : per_cpu) {
    sum.segments += cpu.segments;
    sum.retransmitted += cpu.retransmitted;
    sum.acks += cpu.acks;
    sum.ece_acks += cpu.ece_acks;
    sum.escapes += cpu.escapes;
  }
  return sum;
}

}  // namespace hopwise::test

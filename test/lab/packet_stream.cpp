#include "test/lab/packet_stream.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstring>
#include <deque>
#include <optional>
#include <vector>

#include "test/lab/io_thread.hpp"

namespace hopwise::lab {

namespace asio = boost::asio;
using asio::ip::udp;
using boost::system::error_code;

namespace {

constexpr int kReceiveBuffer = 4 << 20;

/// At the head of every datagram; both ends are this machine.
struct Number {
  std::uint32_t flow = 0;
  std::uint32_t sequence = 0;
};

udp::endpoint endpoint(const StreamPlan& plan) {
  return {asio::ip::make_address(plan.server.text()), plan.port};
}

}  // namespace

class PacketStream::Receiver {
 public:
  Receiver(const Namespace& where, const StreamPlan& plan)
      : thread_(where), socket_(thread_.io()), flows_(static_cast<std::size_t>(plan.flows)) {
    thread_.ask([&] {
      socket_.open(endpoint(plan).protocol());
      socket_.set_option(asio::socket_base::receive_buffer_size(kReceiveBuffer));
      socket_.bind(endpoint(plan));
      socket_.non_blocking(true);
      wait();
    });
  }
  ~Receiver() { thread_.end(); }

  StreamCounts counts() {
    return thread_.ask([this] { return counts_; });
  }

 private:
  struct Flow {
    std::vector<bool> seen;  // by sequence
    std::optional<udp::endpoint> from;
  };

  void wait() {
    socket_.async_wait(udp::socket::wait_read, [this](const error_code& error) {
      if (error) return;
      read();
      wait();
    });
  }

  void read() {
    std::array<char, 2048> data{};
    udp::endpoint from;
    error_code error;
    for (;;) {
      const auto size = socket_.receive_from(asio::buffer(data), from, 0, error);
      if (error) return;
      Number number;
      if (size < sizeof number) continue;
      std::memcpy(&number, data.data(), sizeof number);
      if (number.flow >= flows_.size()) continue;
      Flow& flow = flows_[number.flow];
      if (flow.from.value_or(from) != from) ++counts_.moved;
      flow.from = from;
      note(flow, number.sequence);
    }
  }

  void note(Flow& flow, std::uint32_t sequence) {
    ++counts_.received;
    if (sequence >= flow.seen.size()) {
      flow.seen.resize(sequence + 1);
    } else {
      ++(flow.seen[sequence] ? counts_.duplicated : counts_.reordered);
    }
    flow.seen[sequence] = true;
  }

  IoThread thread_;
  udp::socket socket_;
  std::vector<Flow> flows_;
  StreamCounts counts_;
};

class PacketStream::Sender {
 public:
  Sender(const Namespace& where, const StreamPlan& plan)
      : plan_(plan),
        payload_(std::max(sizeof(Number), static_cast<std::size_t>(
                                              std::max(plan.payload_bytes, plan.large_bytes)))),
        thread_(where),
        timer_(thread_.io()) {
    thread_.ask([this] {
      for (int i = 0; i < plan_.flows; ++i) {
        sockets_.emplace_back(thread_.io()).connect(endpoint(plan_));
        sockets_.back().non_blocking(true);
        mark(sockets_.back());
      }
      begun_ = std::chrono::steady_clock::now();
      send_due();
    });
  }
  ~Sender() { thread_.end(); }

  StreamCounts counts() {
    return thread_.ask([this] { return counts_; });
  }

  StreamCounts end() {
    return thread_.ask([this] {
      timer_.cancel();
      ended_ = true;
      return counts_;
    });
  }

 private:
  void mark(udp::socket& socket) const {
    const bool v4 = plan_.server.is_v4();
    const int tos = plan_.dscp << 2;
    setsockopt(socket.native_handle(), v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TOS : IPV6_TCLASS,
               &tos, sizeof(tos));
  }
  /// Everything that is due by now, so that a late wake-up changes no rate.
  void send_due() {
    if (ended_) return;
    const std::chrono::duration<double> since = std::chrono::steady_clock::now() - begun_;
    const auto due = static_cast<std::uint64_t>(since.count() * plan_.packets_per_s);
    while (tried_ < due) send_one();
    timer_.expires_after(std::chrono::milliseconds(1));
    timer_.async_wait([this](const error_code& error) {
      if (!error) send_due();
    });
  }

  void send_one() {
    const auto flow = static_cast<std::uint32_t>(tried_ % sockets_.size());
    ++tried_;
    if (next_.size() <= flow) next_.push_back(0);
    const Number number{flow, next_[flow]};
    std::memcpy(payload_.data(), &number, sizeof number);
    error_code error;
    const bool large = plan_.large_bytes != 0 && number.sequence % 2 == 1;
    const int bytes = large ? plan_.large_bytes : plan_.payload_bytes;
    sockets_[flow].send(
        asio::buffer(payload_, std::max(sizeof number, static_cast<std::size_t>(bytes))), 0, error);
    if (error) {
      ++counts_.unsent;
    } else {
      ++counts_.sent;
      ++next_[flow];
    }
  }

  const StreamPlan plan_;
  std::vector<char> payload_;
  IoThread thread_;
  asio::steady_timer timer_;
  std::deque<udp::socket> sockets_;
  std::vector<std::uint32_t> next_;  // sequence, by flow
  std::chrono::steady_clock::time_point begun_;
  std::uint64_t tried_ = 0;
  bool ended_ = false;
  StreamCounts counts_;
};

PacketStream::PacketStream(std::unique_ptr<Receiver> receiver, std::unique_ptr<Sender> sender)
    : receiver_(std::move(receiver)), sender_(std::move(sender)) {}

PacketStream::~PacketStream() = default;

Result<std::unique_ptr<PacketStream>> PacketStream::start(const Namespace& client,
                                                          const Namespace& server,
                                                          const StreamPlan& plan) {
  try {
    auto receiver = std::make_unique<Receiver>(server, plan);
    auto sender = std::make_unique<Sender>(client, plan);
    return std::unique_ptr<PacketStream>(new PacketStream(std::move(receiver), std::move(sender)));
  } catch (const boost::system::system_error& e) {
    return Error{"datagrams to " + plan.server.text() + ": " + e.what()};
  }
}

StreamCounts PacketStream::counts() const {
  auto counts = receiver_->counts();
  const auto sent = sender_->counts();
  counts.sent = sent.sent;
  counts.unsent = sent.unsent;
  return counts;
}

StreamCounts PacketStream::stop(std::chrono::milliseconds patience) {
  sender_->end();
  auto now = counts();
  auto newest = std::chrono::steady_clock::now();
  while (now.lost() > 0 && std::chrono::steady_clock::now() - newest < patience) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    const auto before = std::exchange(now, counts());
    if (now.received != before.received) newest = std::chrono::steady_clock::now();
  }
  return now;
}

}  // namespace hopwise::lab

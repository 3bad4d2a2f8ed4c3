#include "probes/bandwidth/train_sender.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <optional>
#include <random>
#include <vector>

#include "probes/wire/stamp.hpp"

namespace hopwise::probes {

namespace asio = boost::asio;
using asio::ip::udp;

struct TrainSender::Impl : std::enable_shared_from_this<Impl> {
  Impl(asio::io_context& io, const TrainPlan& the_plan, OnTrain told)
      : plan(the_plan), on_train(std::move(told)), socket(io), timer(io) {}

  Result<> open();
  Result<> send();
  void gather();
  void read();
  void take(std::span<const std::uint8_t> packet);
  void finish();
  [[nodiscard]] std::size_t payload_bytes() const;
  [[nodiscard]] const HmacKey* key() const { return hmac ? &*hmac : nullptr; }
  [[nodiscard]] std::string name() const { return "train to " + plan.to.address.text(); }

  TrainPlan plan;
  OnTrain on_train;
  udp::socket socket;
  asio::steady_timer timer;
  std::optional<HmacKey> hmac;
  stamp::Request first;  // of the train
  Train train;
  std::vector<bool> seen;
};

namespace {

udp::endpoint endpoint(const IpAddress& address, std::uint16_t port, std::uint32_t ifindex) {
  if (address.is_v4()) {
    asio::ip::address_v4::bytes_type bytes{};
    std::copy_n(address.bytes.begin(), bytes.size(), bytes.begin());
    return {asio::ip::address_v4(bytes), port};
  }
  asio::ip::address_v6::bytes_type bytes{};
  std::copy_n(address.bytes.begin(), bytes.size(), bytes.begin());
  return {asio::ip::address_v6(bytes, address.is_link_local() ? ifindex : 0), port};
}

bool set(int fd, int level, int option, std::uint32_t value) {
  return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

}  // namespace

std::size_t TrainSender::Impl::payload_bytes() const {
  return plan.packet_bytes - (plan.to.address.is_v4() ? 28 : 48);
}

Result<> TrainSender::Impl::open() {
  const bool v4 = plan.to.address.is_v4();
  boost::system::error_code error;
  socket.open(v4 ? udp::v4() : udp::v6(), error);
  if (error) return system_error("open a socket for a " + name(), error.value());
  if (!set(socket.native_handle(), SOL_SOCKET, SO_MARK, plan.by.mark))
    return system_error("mark a " + name(), errno);
  // A train in pieces would be another train.
  if (v4)
    set(socket.native_handle(), IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
  else
    set(socket.native_handle(), IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO);
  socket.non_blocking(true, error);
  if (plan.by.from) socket.bind(endpoint(*plan.by.from, 0, plan.to.ifindex), error);
  if (error) return system_error("bind a " + name(), error.value());
  socket.connect(endpoint(plan.to.address, plan.to.port, plan.to.ifindex), error);
  if (error) return system_error("connect a " + name(), error.value(), "nothing has left");
  return {};
}

Result<> TrainSender::Impl::send() {
  std::random_device chance;
  first.sequence = chance() % 0x80000000U;
  first.ssid = static_cast<std::uint16_t>(chance());
  first.sent = to_ntp(std::chrono::system_clock::now());
  std::vector<std::vector<std::uint8_t>> packets(plan.packets,
                                                 std::vector<std::uint8_t>(payload_bytes()));
  std::vector<iovec> pieces(plan.packets);
  std::vector<mmsghdr> messages(plan.packets);
  for (std::uint32_t i = 0; i < plan.packets; ++i) {
    stamp::Request request = first;
    request.sequence += i;
    stamp::build_request(request, key(), packets[i]);
    pieces[i] = {packets[i].data(), packets[i].size()};
    messages[i].msg_hdr.msg_iov = &pieces[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  const int sent = sendmmsg(socket.native_handle(), messages.data(), plan.packets, 0);
  if (sent < 0) return system_error("send a " + name(), errno);
  train.packets = static_cast<std::uint32_t>(sent);
  train.packet_bytes = plan.packet_bytes;
  seen.resize(train.packets);
  return {};
}

void TrainSender::Impl::gather() {
  socket.async_wait(udp::socket::wait_read,
                    [weak = weak_from_this()](const boost::system::error_code& error) {
                      const auto self = weak.lock();
                      if (!self || error) return;
                      self->read();
                      if (self->train.arrivals.size() == self->train.packets) return self->finish();
                      self->gather();
                    });
}

void TrainSender::Impl::read() {
  std::array<std::uint8_t, 2048> packet{};
  // ICMP errors stand in the way of one read each.
  for (std::uint32_t reads = 0; reads < 2 * TrainPlan::kMaxPackets; ++reads) {
    const ssize_t count = recv(socket.native_handle(), packet.data(), packet.size(), 0);
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (count > 0) take(std::span(packet).first(static_cast<std::size_t>(count)));
  }
}

void TrainSender::Impl::take(std::span<const std::uint8_t> packet) {
  const auto reply = stamp::parse_reply(packet, key());
  if (!reply || reply->request.sent != first.sent) return;
  if (reply->ssid && *reply->ssid != 0 && *reply->ssid != first.ssid) return;
  const std::uint32_t index = reply->request.sequence - first.sequence;
  if (index >= train.packets || seen[index]) return;
  seen[index] = true;
  train.arrivals.push_back(
      {index, std::chrono::duration_cast<Duration>(reply->received.time_since_epoch())});
}

void TrainSender::Impl::finish() {
  const auto self = shared_from_this();  // told may end us
  timer.cancel();
  boost::system::error_code ignored;
  socket.close(ignored);
  if (const OnTrain told = std::exchange(on_train, {})) told(train);
}

TrainSender::~TrainSender() = default;

Result<std::unique_ptr<TrainSender>> TrainSender::send(asio::io_context& io, const TrainPlan& plan,
                                                       OnTrain on_train) {
  const auto impl = std::make_shared<Impl>(io, plan, std::move(on_train));
  impl->plan.packets = std::clamp(plan.packets, 2U, TrainPlan::kMaxPackets);
  impl->plan.packet_bytes = std::clamp(plan.packet_bytes, 200U, 1500U);
  if (!plan.key.empty()) {
    auto hmac = HmacKey::of(plan.key);
    if (!hmac) return hmac.error();
    impl->hmac = std::move(*hmac);
  }
  if (auto opened = impl->open(); !opened) return opened.error();
  if (auto sent = impl->send(); !sent) return sent.error();
  impl->gather();
  impl->timer.expires_after(plan.patience);
  impl->timer.async_wait([weak = std::weak_ptr(impl)](const boost::system::error_code& error) {
    if (const auto self = weak.lock(); self && !error) self->finish();
  });
  return std::unique_ptr<TrainSender>(new TrainSender(impl));
}

}  // namespace hopwise::probes

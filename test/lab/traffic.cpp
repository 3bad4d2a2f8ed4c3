#include "test/lab/traffic.hpp"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio.hpp>
#include <cerrno>
#include <deque>

#include "test/lab/io_thread.hpp"

namespace hopwise::lab {

namespace asio = boost::asio;
using asio::awaitable;
using asio::use_awaitable;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::chrono::milliseconds kProgressEvery{50};
constexpr int kLongSendBuffer = 256 * 1024;
constexpr std::array<char, 16 * 1024> kPayload{};

tcp::endpoint endpoint(const IpAddress& address, std::uint16_t port) {
  return {asio::ip::make_address(address.text()), port};
}

auto into(error_code& error) {
  return asio::redirect_error(use_awaitable, error);
}

std::string failure_name(const error_code& error) {
  if (error == asio::error::connection_reset || error == asio::error::broken_pipe) return "reset";
  if (error == asio::error::eof) return "closed unanswered";
  if (error == asio::error::timed_out || error == asio::error::operation_aborted) return "timeout";
  return error.message();
}

/// Reads to the end and answers with one byte.
awaitable<void> answer(tcp::socket socket) {
  std::array<char, 64 * 1024> buffer{};
  error_code error;
  while (!error) co_await socket.async_read_some(asio::buffer(buffer), into(error));
  if (error != asio::error::eof) co_return;
  co_await asio::async_write(socket, asio::buffer(kPayload, 1), into(error));
}

awaitable<void> serve(tcp::acceptor& acceptor) {
  for (;;) {
    error_code error;
    auto socket = co_await acceptor.async_accept(into(error));
    if (error == asio::error::operation_aborted) co_return;
    if (!error) co_spawn(acceptor.get_executor(), answer(std::move(socket)), asio::detached);
  }
}

/// What the peer has not acknowledged of what was written.
std::uint64_t outstanding_bytes(tcp::socket& socket) {
  int bytes = 0;
  ioctl(socket.native_handle(), SIOCOUTQ, &bytes);
  return static_cast<std::uint64_t>(bytes);
}

}  // namespace

double TrafficPlan::long_flow_bytes_per_s() const {
  const double all = mbit * 1e6 / 8;
  const double by_short_flows = new_flows_per_s * flow_kbytes * 1000;
  return long_flows == 0 ? 0 : std::max(0.0, all - by_short_flows) / long_flows;
}

class Traffic::Server {
 public:
  explicit Server(const Namespace& where) : thread_(where) {}
  ~Server() { thread_.end(); }

  void listen(const IpAddress& address) {
    thread_.ask([&] {
      for (auto port : {kLongPort, kShortPort}) {
        auto& acceptor = acceptors_.emplace_back(thread_.io(), endpoint(address, port));
        co_spawn(thread_.io(), serve(acceptor), asio::detached);
      }
    });
  }

 private:
  IoThread thread_;
  std::deque<tcp::acceptor> acceptors_;
};

class Traffic::Client {
 public:
  Client(const Namespace& where, const TrafficPlan& plan, TimePoint origin)
      : plan_(plan), origin_(origin), thread_(where) {}
  ~Client() { thread_.end(); }

  void begin() {
    thread_.ask([this] {
      long_sockets_.reserve(static_cast<std::size_t>(plan_.long_flows));
      for (int i = 0; i < plan_.long_flows; ++i) {
        long_sockets_.emplace_back(thread_.io());
        record_.long_flows.emplace_back();
        written_.push_back(0);
      }
      for (std::size_t i = 0; i < long_sockets_.size(); ++i)
        co_spawn(thread_.io(), long_flow(i), asio::detached);
      co_spawn(thread_.io(), watch_progress(), asio::detached);
      co_spawn(thread_.io(), begin_short_flows(), asio::detached);
    });
  }

  TrafficRecord record() {
    return thread_.ask([this] { return record_; });
  }

  TrafficRecord finish() {
    std::promise<void> drained;
    auto all_ended = drained.get_future();
    thread_.ask([&] {
      stopping_ = true;
      drained_ = &drained;
      signal_if_drained();
    });
    all_ended.wait();
    return thread_.ask([this] {
      for (auto& socket : long_sockets_) socket.close();
      return record_;
    });
  }

 private:
  [[nodiscard]] double now() const { return seconds(std::chrono::steady_clock::now() - origin_); }

  FlowId id_of(const tcp::socket& socket, std::uint16_t server_port, error_code& error) const {
    return flow_id(plan_.server.family, server_port, socket.local_endpoint(error).port());
  }

  /// Writes at the pace that the kernel allows until the flow breaks or the run ends.
  awaitable<void> long_flow(std::size_t index) {
    auto& socket = long_sockets_[index];
    auto& flow = record_.long_flows[index];
    const auto rate = static_cast<unsigned>(plan_.long_flow_bytes_per_s());
    error_code error;
    const auto server = endpoint(plan_.server, kLongPort);
    socket.open(server.protocol(), error);
    if (!error) socket.set_option(asio::socket_base::send_buffer_size(kLongSendBuffer), error);
    setsockopt(socket.native_handle(), SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof rate);
    if (!error) co_await socket.async_connect(server, into(error));
    if (!error) flow.id = id_of(socket, kLongPort, error);
    while (!error)
      written_[index] += co_await socket.async_write_some(asio::buffer(kPayload), into(error));
    if (stopping_) co_return;
    flow.failure = failure_name(error);
    flow.failed_at = now();
  }

  awaitable<void> watch_progress() {
    asio::steady_timer timer{thread_.io(), origin_};
    for (;;) {
      timer.expires_at(timer.expiry() + kProgressEvery);
      co_await timer.async_wait(use_awaitable);
      const double at = now();
      for (std::size_t i = 0; i < long_sockets_.size(); ++i)
        if (auto& flow = record_.long_flows[i]; flow.id != 0 && flow.failure.empty())
          note_progress(flow, written_[i] - outstanding_bytes(long_sockets_[i]), at);
    }
  }

  /// Only advances are kept: the time between two of them is a stall.
  static void note_progress(LongFlow& flow, std::uint64_t acked, double at) {
    auto& progress = flow.progress;
    if (!progress.empty() && progress.back().acked == acked) {
      const double stall = at - progress.back().at;
      if (stall > flow.longest_stall) {
        flow.longest_stall = stall;
        flow.stalled_at = progress.back().at;
      }
      return;
    }
    progress.push_back({at, acked});
  }

  awaitable<void> begin_short_flows() {
    if (plan_.new_flows_per_s <= 0) co_return;
    const auto interval = std::chrono::duration_cast<std::chrono::steady_clock::duration>(
        std::chrono::duration<double>(1 / plan_.new_flows_per_s));
    asio::steady_timer timer{thread_.io(), origin_};
    while (!stopping_) {
      record_.short_flows.emplace_back().begun = now();
      co_spawn(thread_.io(), short_flow(record_.short_flows.size() - 1), asio::detached);
      timer.expires_at(timer.expiry() + interval);
      co_await timer.async_wait(use_awaitable);
    }
  }

  /// The flow is named by its index: the vector grows while it runs.
  awaitable<void> short_flow(std::size_t index) {
    ++running_;
    const auto shared = std::make_shared<tcp::socket>(thread_.io());
    auto& socket = *shared;
    asio::steady_timer deadline{thread_.io(), kShortFlowTimeout};
    deadline.async_wait([shared](const error_code& error) {
      if (!error) shared->close();
    });
    error_code error;
    const auto server = endpoint(plan_.server, kShortPort);
    // Bound before it connects, so that a flow whose SYN is lost has its identity too.
    socket.open(server.protocol(), error);
    if (!error) socket.bind({server.protocol(), 0}, error);
    if (!error) record_.short_flows[index].id = id_of(socket, kShortPort, error);
    if (!error) co_await socket.async_connect(server, into(error));
    if (!error) {
      record_.short_flows[index].connected = now();
      co_await upload(socket, error);
    }
    record_.short_flows[index].ended = now();
    if (error) record_.short_flows[index].failure = failure_name(error);
    --running_;
    signal_if_drained();
  }

  awaitable<void> upload(tcp::socket& socket, error_code& error) {
    auto left = static_cast<std::size_t>(plan_.flow_kbytes) * 1000;
    while (left > 0 && !error) {
      const auto chunk = std::min(left, kPayload.size());
      left -= co_await asio::async_write(socket, asio::buffer(kPayload, chunk), into(error));
    }
    if (error) co_return;
    socket.shutdown(tcp::socket::shutdown_send, error);
    std::array<char, 1> byte{};
    if (!error) co_await asio::async_read(socket, asio::buffer(byte), into(error));
  }

  void signal_if_drained() {
    if (drained_ != nullptr && running_ == 0) std::exchange(drained_, nullptr)->set_value();
  }

  const TrafficPlan plan_;
  const TimePoint origin_;
  IoThread thread_;
  TrafficRecord record_;
  std::vector<tcp::socket> long_sockets_;
  std::vector<std::uint64_t> written_;  // bytes, by long flow
  int running_ = 0;                     // short flows
  bool stopping_ = false;
  std::promise<void>* drained_ = nullptr;
};

Traffic::Traffic(std::unique_ptr<Server> server, std::unique_ptr<Client> client)
    : server_(std::move(server)), client_(std::move(client)) {}

Traffic::~Traffic() = default;

Result<std::unique_ptr<Traffic>> Traffic::start(const Namespace& client, const Namespace& server,
                                                const TrafficPlan& plan, TimePoint origin) {
  auto server_side = std::make_unique<Server>(server);
  auto client_side = std::make_unique<Client>(client, plan, origin);
  try {
    server_side->listen(plan.server);
    client_side->begin();
  } catch (const boost::system::system_error& e) {
    return Error{"traffic to " + plan.server.text() + ": " + e.what()};
  }
  return std::unique_ptr<Traffic>(new Traffic(std::move(server_side), std::move(client_side)));
}

TrafficRecord Traffic::record() const {
  return client_->record();
}

TrafficRecord Traffic::stop() {
  return client_->finish();
}

}  // namespace hopwise::lab

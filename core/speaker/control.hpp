// One control socket of the routing daemon: a question, and its answer, at a time.
//
// Promises: it never blocks the loop; an answer is bounded in size and time; whatever the other end
// does (never accepts, answers slowly, without end, with garbage, closes) is an Fate. The
// connection is kept between questions, so that the end of the process is heard at once. It only
// asks: of BIRD it has itself restricted, of FRR it uses `show` alone.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "core/speaker/pulse.hpp"
#include "core/speaker/reply.hpp"

namespace hopwise::speaker {

/// `text` is the answer, or why there is none.
struct Answer {
  Fate fate = Fate::silent;
  std::string text{};
  Peer peer{};
};

class Control {
 public:
  struct Options {
    std::string path;
    Protocol protocol = Protocol::vty;
    Duration timeout = std::chrono::seconds(5);  // from ask() to the whole answer
    std::size_t most_bytes = std::size_t{4} << 20;
  };
  using OnAnswer = std::function<void(const Answer&)>;

  /// `lost` is told on the loop when the other end closes the connection between two questions.
  Control(boost::asio::io_context& io, Options options, std::function<void()> lost);
  ~Control();
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  /// Connects where it is not, and asks. `on_answer` is called once, from the loop, never from
  /// within; not at all when this ends first. Throws std::logic_error while busy.
  void ask(const std::string& command, OnAnswer on_answer);
  [[nodiscard]] bool busy() const;

 private:
  class Connection;
  std::shared_ptr<Connection> connection_;
};

}  // namespace hopwise::speaker

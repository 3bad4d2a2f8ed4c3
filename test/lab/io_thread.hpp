// An io_context and the one thread that runs it inside a network namespace. Sockets made on that
// thread belong to the namespace; others reach what lives there only through ask().
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <future>
#include <thread>

#include "test/lab/namespace.hpp"

namespace hopwise::lab {

class IoThread {
 public:
  explicit IoThread(const Namespace& where) : thread_(where.thread([this] { io_.run(); })) {}
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;
  ~IoThread() { end(); }

  boost::asio::io_context& io() { return io_; }

  /// Runs `work` on the thread and waits for what it returns or throws.
  template <class Work>
  auto ask(Work work) -> decltype(work()) {
    std::packaged_task<decltype(work())()> task{std::move(work)};
    auto answer = task.get_future();
    boost::asio::post(io_, [&task] { task(); });
    return answer.get();
  }

  /// Drops what is still to be done. An owner of sockets calls it before they go.
  void end() {
    io_.stop();
    if (thread_.joinable()) thread_.join();
  }

 private:
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> busy_{
      io_.get_executor()};
  std::thread thread_;
};

}  // namespace hopwise::lab

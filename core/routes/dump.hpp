// A dump of everything that routing in the kernel consists of, kind by kind, read by read.
//
// What routes refer to comes first, so that they are resolved once. It never waits: whoever drives
// it returns to the loop between reads.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/netlink/socket.hpp"
#include "core/routes/fib.hpp"

namespace hopwise::routes {

class Dump {
 public:
  /// `table`: of routes, beside the local table.
  Dump(netlink::Socket socket, std::uint32_t table) : socket_(std::move(socket)), table_(table) {}

  Result<> begin(Fib& fib);
  enum class Step { waits, went_on, kind_complete, complete };
  /// Takes one read into `fib`. An error ends the dump.
  Result<Step> step(Fib& fib);

  [[nodiscard]] bool running() const { return running_; }
  /// The kernel's lists changed while it dumped them.
  [[nodiscard]] bool torn() const { return torn_; }
  [[nodiscard]] int fd() const { return socket_.fd(); }

 private:
  Result<> ask();

  netlink::Socket socket_;
  std::uint32_t table_;
  std::size_t part_ = 0;  // of kParts
  bool running_ = false;
  bool torn_ = false;
};

}  // namespace hopwise::routes

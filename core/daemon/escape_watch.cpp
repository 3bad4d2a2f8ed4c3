#include "core/daemon/escape_watch.hpp"

namespace hopwise {

EscapeWatch::EscapeWatch(boost::asio::io_context& io, dataplane::Dataplane& dataplane,
                         OnEscapes on_escapes)
    : dataplane_(dataplane), on_escapes_(std::move(on_escapes)), readable_(io) {
  if (dataplane.escapes_fd() < 0) return;  // programs that never let a flow go
  readable_.assign(dataplane.escapes_fd());
  wait();
}

void EscapeWatch::wait() {
  readable_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                       [this](const boost::system::error_code& error) {
                         if (error) return;
                         read();
                         wait();
                       });
}

void EscapeWatch::read() {
  std::vector<dataplane::Escape> escapes;
  dataplane_.take_escapes([&](const dataplane::Escape& escape) {
    escapes.push_back(escape);
    ++tally_[escape.from];
  });
  if (!escapes.empty()) on_escapes_(escapes);
}

void EscapeWatch::tell(Log& log, const std::map<NexthopId, NexthopRecord>& nexthops) {
  for (const auto& [id, flows] : std::exchange(tally_, {})) {
    const auto found = nexthops.find(id);
    if (found == nexthops.end()) continue;
    log.warn("escapes", {{"nexthop", found->second.nexthop.name},
                         {"flows", std::to_string(flows)},
                         {"because", "they got no answer through it"}});
  }
}

}  // namespace hopwise

// What a routing daemon says on its control socket, by libFuzzer under AddressSanitizer: framing,
// routes, BFD sessions and protocols of both daemons, out of whatever bytes there are.
//
// An answer must be framed the same however it is cut; what is believed must be readable addresses
// with sane weights; comparing a route with itself must find nothing.
#include <cstdio>
#include <cstdlib>

#include "core/speaker/bfd.hpp"
#include "core/speaker/divergence.hpp"
#include "core/speaker/reply.hpp"

using namespace hopwise;
using namespace hopwise::speaker;

namespace {

void require(bool truth, const char* what) {
  if (truth) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

std::vector<std::string> answers_in(Protocol protocol, const std::string& bytes, std::size_t step) {
  ReplyReader reader(protocol);
  std::vector<std::string> texts;
  std::string come;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    come += bytes.substr(at, step);
    while (auto reply = reader.take(come)) texts.push_back(std::move(reply->text));
  }
  return texts;
}

void check_route(const Result<BelievedRoute>& route) {
  if (!route) return require(!route.error().message.empty(), "an error without words");
  require((route->belief == Belief::installed) == !route->legs.empty() ||
              route->belief == Belief::foreign,
          "legs of a route that is not installed");
  for (const Leg& leg : route->legs) require(leg.weight >= 1 && leg.weight <= 256, "a weight");
  if (route->belief == Belief::installed)
    require(!compare(*route, route->legs), "a route differs from itself");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data + 1), size - 1);
  const std::size_t step = data[0] % 7 + 1;
  for (const auto protocol : {Protocol::vty, Protocol::bird})
    require(answers_in(protocol, text, step) == answers_in(protocol, text, text.size() + 1),
            "an answer depends on how it was cut");
  const Prefix prefix = *Prefix::parse("203.0.113.0/24");
  check_route(frr_route(text, prefix));
  check_route(bird_route(text, prefix));
  require(bird_kernels(text).size() == 2, "kernel protocols of two families");
  for (const auto& sessions : {frr_bfd(text), bird_bfd(text)})
    if (sessions)
      for (const BfdSession& session : *sessions)
        require(!session.failed || session.state == BfdState::down, "a session failed and is up");
  return 0;
}

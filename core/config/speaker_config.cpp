#include "core/config/speaker_config.hpp"

namespace hopwise::config {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t kSpeakerPathMax = 95;  // sun_path, less "/staticd.vty" and its zero

}  // namespace

void read_speaker(Object& o, Speaker& speaker) {
  std::string kind;
  if (o.one_of("kind", kind, {"auto", "frr", "bird", "none"}))
    speaker.kind = kind == "auto"   ? std::nullopt
                   : kind == "frr"  ? std::optional(SpeakerKind::frr)
                   : kind == "bird" ? std::optional(SpeakerKind::bird)
                                    : std::optional(SpeakerKind::none);
  o.any_text("socket", speaker.socket);
  o.duration("check", speaker.check, {1s, 1h});
  o.duration("timeout", speaker.timeout, {100ms, 1min});
  o.boolean("bfd", speaker.bfd);
  if (speaker.socket.empty()) return;
  if (speaker.socket[0] != '/' || speaker.socket.size() > kSpeakerPathMax)
    o.fault("socket", "must be an absolute path of at most " + std::to_string(kSpeakerPathMax) +
                          " bytes (FRR's folder of sockets, or BIRD's socket)");
  if (!speaker.kind)
    o.fault("socket", "needs a \"kind\" (\"frr\" for a folder, \"bird\" for BIRD's socket)");
}

}  // namespace hopwise::config

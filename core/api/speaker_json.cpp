#include "core/api/speaker_json.hpp"

#include <nlohmann/json.hpp>

namespace hopwise::api {

using Json = nlohmann::ordered_json;

namespace {

Json or_null(const std::string& words) {
  return words.empty() ? Json(nullptr) : Json(words);
}

Json describe(const SpeakerProcess& process) {
  return {{"name", process.name},
          {"health", text(process.health)},
          {"because", or_null(process.because)},
          {"for_s", seconds(process.since)},
          {"uptime_s", process.uptime ? Json(seconds(*process.uptime)) : Json(nullptr)},
          {"restarts", process.restarts}};
}

Json describe(const Divergence& divergence) {
  return {{"prefix", divergence.prefix.text()},
          {"kind", text(divergence.kind)},
          {"missing", divergence.missing},
          {"extra", divergence.extra},
          {"for_s", seconds(divergence.since)}};
}

Json describe(const BfdSession& session) {
  return {{"peer", session.peer.text()},
          {"interface", or_null(session.interface)},
          {"state", text(session.state)},
          {"failed", session.failed},
          {"because", or_null(session.because)}};
}

template <class T>
Json list(const std::vector<T>& all) {
  Json json = Json::array();
  for (const T& each : all) json.push_back(describe(each));
  return json;
}

}  // namespace

Json describe(const SpeakerStatus& speaker) {
  return {{"kind", text(speaker.kind)},
          {"socket", or_null(speaker.socket)},
          {"note", or_null(speaker.note)},
          {"not_checked", or_null(speaker.not_checked)},
          {"looks", speaker.looks},
          {"processes", list(speaker.processes)},
          {"divergences", list(speaker.divergences)},
          {"bfd", list(speaker.bfd)}};
}

}  // namespace hopwise::api

#include "test/lab/view.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace hopwise::lab {

namespace {

constexpr std::size_t kNarrowest = 80;
constexpr std::size_t kDecisionsShown = 6;

constexpr const char* kBold = "\033[1m";
constexpr const char* kDim = "\033[2m";
constexpr const char* kRed = "\033[31m";
constexpr const char* kGreen = "\033[32m";
constexpr const char* kYellow = "\033[33m";
constexpr const char* kPlain = "\033[0m";

template <class... Values>
std::string format(const char* pattern, Values... values) {
  char text[512];
  std::snprintf(text, sizeof text, pattern, values...);
  return text;
}

std::string coloured(const char* colour, const std::string& text) {
  return colour + text + kPlain;
}

/// Cut or filled with blanks to `width`. For text without colours.
std::string fitted(std::string text, std::size_t width) {
  text.resize(std::min(text.size(), width));
  return text + std::string(width - text.size(), ' ');
}

const char* colour_of(const std::string& state) {
  if (state == "up") return kGreen;
  if (state == "down") return kRed;
  return kYellow;
}

std::string bar(double share, std::size_t width) {
  const auto full = static_cast<std::size_t>(
      std::lround(std::clamp(share, 0.0, 1.0) * static_cast<double>(width)));
  std::string out;
  for (std::size_t i = 0; i < width; ++i) out += i < full ? "█" : "·";
  return out;
}

std::string path_line(const PathRow& path, std::size_t columns) {
  const auto rtt = path.rtt_ms ? format("%7.1f ms", *path.rtt_ms) : std::string("       -- ");
  const auto loss = path.rtt_ms ? format("%4.0f %%", 100 * path.loss) : std::string("    --");
  const auto weight = path.weight ? format("%4.0f %%", 100 * *path.weight) : std::string("    --");
  const std::size_t bars = columns - 63;
  return fitted(path.name, 10) + " " + coloured(colour_of(path.state), fitted(path.state, 9)) +
         rtt + " " + loss + " " + weight + "  " + bar(path.share, bars) +
         format(" %3.0f %% ", 100 * path.share) + coloured(kDim, fitted(path.line, 9));
}

/// A ruler of the run: '=' what has been, '-' what is to come, '^' events.
std::string time_line(const Scene& scene, std::size_t columns) {
  const std::size_t width = columns - 2;
  const auto place = [&](double at) {
    const double part = std::clamp(at / std::max(scene.duration, 1e-9), 0.0, 1.0);
    return std::min(width - 1, static_cast<std::size_t>(part * static_cast<double>(width)));
  };
  std::string ruler(width, '-');
  std::fill_n(ruler.begin(), place(scene.now), '=');
  for (const auto& event : scene.events) ruler[place(event.at)] = '^';
  return ruler;
}

void add_events(const Scene& scene, std::size_t columns, std::vector<std::string>& lines) {
  for (const auto& event : scene.events) {
    const auto text =
        fitted(format("%6.1f s  %s: %s", event.at, event.upstream.c_str(), event.what.c_str()),
               columns - 1);
    lines.push_back(event.at <= scene.now ? coloured(kBold, text) : coloured(kDim, text));
  }
}

void add_decisions(const Scene& scene, std::size_t columns, std::vector<std::string>& lines) {
  const auto shown = std::min(scene.decisions.size(), kDecisionsShown);
  for (auto i = scene.decisions.size() - shown; i < scene.decisions.size(); ++i) {
    const auto& decision = scene.decisions[i];
    lines.push_back(
        fitted(format("%6.1f s  %s %s: %s", decision.at, decision.reason.c_str(),
                      decision.cause.c_str(), shares_text(decision, scene.upstreams).c_str()),
               columns - 1));
    if (!decision.evidence.empty())
      lines.push_back(coloured(kDim, fitted("          " + decision.evidence, columns - 1)));
  }
}

}  // namespace

std::vector<std::string> draw(const Scene& scene, std::size_t columns) {
  columns = std::max(columns, kNarrowest);
  std::vector<std::string> lines;
  lines.push_back(coloured(
      kBold, fitted(format("hopwise demo: %s (%s)   %.1f of %.0f s", scene.scenario.c_str(),
                           scene.steered ? "steered" : "not steered", scene.now, scene.duration),
                    columns - 1)));
  lines.emplace_back();
  lines.push_back(
      coloured(kDim, fitted("path       state           RTT   loss weight  traffic", columns - 1)));
  for (const auto& path : scene.paths) lines.push_back(path_line(path, columns));
  lines.emplace_back();
  lines.push_back(fitted(format("short flows: p50 %.0f ms, p99 %.0f ms in the last 2 s; %zu lost",
                                1e3 * scene.latency.p50, 1e3 * scene.latency.p99, scene.flows_lost),
                         columns - 1));
  lines.emplace_back();
  lines.push_back(time_line(scene, columns));
  add_events(scene, columns, lines);
  lines.emplace_back();
  if (scene.steered) {
    lines.push_back(coloured(kDim, "decisions"));
    add_decisions(scene, columns, lines);
  }
  return lines;
}

std::string plain_line(const Scene& scene) {
  std::string out = format("t=%.1f", scene.now);
  for (const auto& path : scene.paths) {
    out += format("  %s %.0f%%", path.name.c_str(), 100 * path.share);
    if (path.weight) out += format(" weight=%.0f%%", 100 * *path.weight);
    if (path.rtt_ms) out += format(" rtt=%.1fms loss=%.0f%%", *path.rtt_ms, 100 * path.loss);
    if (!path.state.empty()) out += " " + path.state;
  }
  return out + format("  flows p50=%.0fms p99=%.0fms lost=%zu", 1e3 * scene.latency.p50,
                      1e3 * scene.latency.p99, scene.flows_lost);
}

std::string shares_text(const DecisionSeen& decision, const std::vector<std::string>& upstreams) {
  std::string out;
  for (const auto& share : decision.shares)
    out += format("%s%s %.0f->%.0f %%", out.empty() ? "" : ", ", upstreams[share.upstream].c_str(),
                  100 * share.before, 100 * share.after);
  return out;
}

Screen::Screen() {
  std::fputs("\033[?1049h\033[?25l", stdout);
}

Screen::~Screen() {
  std::fputs("\033[?25h\033[?1049l", stdout);
  std::fflush(stdout);
}

void Screen::show(const std::vector<std::string>& lines) {
  std::string out = "\033[H";
  for (const auto& line : lines) out += line + "\033[K\r\n";
  std::fputs((out + "\033[J").c_str(), stdout);
  std::fflush(stdout);
}

std::size_t Screen::columns() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return kNarrowest;
  return std::max<std::size_t>(size.ws_col, kNarrowest);
}

}  // namespace hopwise::lab

#include "core/cli/reflect.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <charconv>
#include <csignal>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>

#include "core/config/key_file.hpp"
#include "probes/reflect/reflector.hpp"

namespace hopwise::cli {
namespace {

namespace asio = boost::asio;

constexpr std::uint32_t kMaxRate = 10'000'000;

// A whole number from 1 to `most`; nothing for any other text.
std::optional<std::uint32_t> number(const std::string& text, std::uint32_t most) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1 || value > most)
    return {};
  return value;
}

Result<std::vector<IpAddress>> addresses(const std::vector<std::string>& texts) {
  std::vector<IpAddress> all;
  for (const std::string& text : texts) {
    const auto address = IpAddress::parse(text);
    if (!address)
      return Error{"--listen " + text + ": not an address (write 192.0.2.1 or 2001:db8::1)"};
    all.push_back(*address);
  }
  return all;
}

// A bare address is a prefix of one.
Result<std::vector<Prefix>> prefixes(const std::vector<std::string>& texts) {
  std::vector<Prefix> all;
  for (const std::string& text : texts) {
    const auto address = IpAddress::parse(text);
    const auto prefix = address ? Prefix::covering(*address, address->bits()) : Prefix::parse(text);
    if (!prefix)
      return Error{"--allow " + text +
                   ": not a prefix (write 192.0.2.0/24 or 2001:db8::/32, no bits beyond it)"};
    all.push_back(*prefix);
  }
  return all;
}

std::string start_line(const probes::Reflector& reflector,
                       const probes::ReflectorOptions& options) {
  std::string where;
  for (const std::string& address : reflector.listens())
    where += (where.empty() ? "" : ",") + address;
  const bool stateful = options.mode == probes::ReflectorOptions::Mode::stateful;
  return "reflecting listen=" + where + " mode=" + (stateful ? "stateful" : "stateless") +
         " authenticated=" + (options.key.empty() ? "no" : "yes") +
         " rate=" + std::to_string(static_cast<std::uint64_t>(options.source_rate)) +
         " allow=" + (options.allow.empty() ? "all" : std::to_string(options.allow.size()));
}

}  // namespace

Result<probes::ReflectorOptions> reflector_options(const ReflectLine& line) {
  probes::ReflectorOptions options;
  const auto port = number(line.port, 65535);
  if (!port) return Error{"--port " + line.port + ": not a port (1 to 65535)"};
  options.port = static_cast<std::uint16_t>(*port);
  const auto rate = number(line.rate, kMaxRate);
  if (!rate)
    return Error{"--rate " + line.rate + ": not a whole number of replies a second (1 to " +
                 std::to_string(kMaxRate) + ")"};
  options.source_rate = *rate;
  options.total_rate = std::max(options.total_rate, options.source_rate);
  auto listen = addresses(line.listen);
  if (!listen) return listen.error();
  options.listen = std::move(*listen);
  auto allow = prefixes(line.allow);
  if (!allow) return allow.error();
  options.allow = std::move(*allow);
  if (line.stateless) options.mode = probes::ReflectorOptions::Mode::stateless;
  if (line.key_file.empty()) return options;
  auto key = config::read_key(line.key_file);
  if (!key) return key.error();
  options.key = std::move(*key);
  return options;
}

std::string render_summary(const probes::ReflectorCounters& counters, SummaryFormat format) {
  nlohmann::ordered_json all;
  for (std::size_t i = 0; i < probes::kFates; i++)
    all[std::string(text(static_cast<probes::Fate>(i)))] = counters.datagrams[i];
  all["tlvs_malformed"] = counters.tlvs_malformed;
  all["tlvs_tampered"] = counters.tlvs_tampered;
  all["overflowed"] = counters.overflowed;
  all["user_stamped"] = counters.user_stamped;
  all["sessions"] = counters.sessions;
  all["sessions_forgotten"] = counters.sessions_forgotten;
  if (format == SummaryFormat::json) return all.dump();
  std::string line;
  for (const auto& [name, value] : all.items())
    line += (line.empty() ? "" : " ") + name + '=' + value.dump();
  return line;
}

Result<> run_reflector(const probes::ReflectorOptions& options, SummaryFormat format,
                       std::ostream& out, std::ostream& log) {
  asio::io_context io{1};
  asio::signal_set signals(io, SIGTERM, SIGINT, SIGUSR1);
  const auto reflector = probes::Reflector::open(io, options);
  if (!reflector) return reflector.error();
  log << start_line(**reflector, options) << std::endl;
  const std::function<void()> listen_to_signals = [&] {
    signals.async_wait([&](const boost::system::error_code& error, int signal) {
      if (error) return;
      out << render_summary((*reflector)->counters(), format) << std::endl;
      if (signal != SIGUSR1) return io.stop();
      listen_to_signals();
    });
  };
  listen_to_signals();
  io.run();
  return {};
}

}  // namespace hopwise::cli

#include "test/lab/prometheus.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <cctype>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "test/lab/io_thread.hpp"

namespace hopwise::lab {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Json = nlohmann::json;

namespace {

constexpr const char* kAddress = "127.0.0.1";
constexpr std::uint16_t kPort = 9090;
constexpr std::string_view kInterval = "10s";

std::string percent_encoded(std::string_view text) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0) {
      out += c;
    } else {
      out += {'%', digits[byte >> 4], digits[byte & 15]};
    }
  }
  return out;
}

/// The body of a GET on this thread's namespace's loopback; throws as Beast does.
std::string get(asio::io_context& io, const std::string& target) {
  beast::tcp_stream stream{io};
  stream.connect({asio::ip::make_address(kAddress), kPort});
  http::request<http::empty_body> request{http::verb::get, target, 11};
  request.set(http::field::host, kAddress);
  http::write(stream, request);
  beast::flat_buffer buffer;
  http::response<http::string_body> response;
  http::read(stream, buffer, response);
  return response.body();
}

void collect(const Json& panels, std::vector<DashboardQuery>& queries) {
  for (const auto& panel : panels) {
    if (panel.contains("panels")) collect(panel["panels"], queries);
    if (!panel.contains("targets")) continue;
    for (const auto& target : panel["targets"])
      if (target.contains("expr"))
        queries.push_back({panel.value("title", "untitled"), target["expr"].get<std::string>()});
  }
}

}  // namespace

Result<std::vector<DashboardQuery>> dashboard_queries(std::string_view dashboard) {
  try {
    std::vector<DashboardQuery> queries;
    collect(Json::parse(dashboard).at("panels"), queries);
    return queries;
  } catch (const Json::exception& e) {
    return Error{std::string("read a dashboard: ") + e.what()};
  }
}

std::string without_variables(std::string_view expression) {
  std::string out;
  for (std::size_t i = 0; i < expression.size();) {
    if (expression[i] != '$') {
      out += expression[i++];
      continue;
    }
    const bool braced = i + 1 < expression.size() && expression[i + 1] == '{';
    std::size_t end = i + 1 + (braced ? 1 : 0);
    const auto begin = end;
    while (end < expression.size() &&
           (std::isalnum(static_cast<unsigned char>(expression[end])) != 0 ||
            expression[end] == '_' || (braced && expression[end] == ':')))
      ++end;
    // Grafana's own, "__rate_interval" and the like, are all spans of time.
    out += expression.substr(begin, 2) == "__" ? kInterval : ".*";
    i = end + (braced ? 1 : 0);
  }
  return out;
}

Result<Prometheus> Prometheus::start(Lab& lab, const std::string& target) {
  const auto folder = lab.folder() / "prometheus";
  std::filesystem::create_directories(folder);
  const auto config = folder / "prometheus.yml";
  std::ofstream{config} << "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
                           "scrape_configs:\n"
                           "  - job_name: hopwise\n"
                           "    static_configs: [{targets: ['"
                        << target << "']}]\n";
  auto process =
      lab.start(lab.router(),
                {"prometheus", "--config.file=" + config.string(),
                 "--storage.tsdb.path=" + (folder / "data").string(),
                 std::string("--web.listen-address=") + kAddress + ":" + std::to_string(kPort)},
                "prometheus");
  if (!process) return process.error();
  return Prometheus{lab.router(), std::move(*process)};
}

Result<std::size_t> Prometheus::series(const std::string& expression) const {
  try {
    IoThread inside{*router_};
    const auto body = inside.ask(
        [&] { return get(inside.io(), "/api/v1/query?query=" + percent_encoded(expression)); });
    const auto answer = Json::parse(body);
    if (answer.value("status", "") != "success") return Error{answer.value("error", body)};
    return answer.at("data").at("result").size();
  } catch (const std::exception& e) {
    return Error{std::string("ask Prometheus: ") + e.what()};
  }
}

Check Prometheus::answers(const std::filesystem::path& dashboard) {
  Check check{.name = "every query of " + dashboard.filename().string() + " has data"};
  std::ifstream file(dashboard);
  std::stringstream text;
  text << file.rdbuf();
  const auto queries = dashboard_queries(text.str());
  if (!queries) {
    check.detail = queries.error().message;
    return check;
  }
  std::string unanswered;
  for (const auto& query : *queries) {
    const auto found = series(without_variables(query.expression));
    if (found && *found > 0) continue;
    unanswered += "\n          " + query.panel + ": " + query.expression + ": " +
                  (found ? "no data" : found.error().message);
  }
  check.passed = unanswered.empty() && !queries->empty();
  check.detail = std::to_string(queries->size()) + " queries" + unanswered;
  return check;
}

}  // namespace hopwise::lab

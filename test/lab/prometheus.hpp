// Debian's Prometheus beside hopwise in the router: it scrapes every second, and at the end answers
// every query of the dashboards, so that none of them asks for what nobody measures.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/result.hpp"
#include "test/lab/lab.hpp"
#include "test/lab/record.hpp"

namespace hopwise::lab {

/// A query as it stands in a dashboard, and where.
struct DashboardQuery {
  std::string panel;
  std::string expression;
};

/// The queries of every panel of a Grafana dashboard (its JSON), rows included.
Result<std::vector<DashboardQuery>> dashboard_queries(std::string_view dashboard);

/// The expression without Grafana's variables: intervals become 10s, everything else ".*".
std::string without_variables(std::string_view expression);

class Prometheus {
 public:
  /// Starts it in the lab's router, scraping `target` ("127.0.0.1:9469").
  static Result<Prometheus> start(Lab& lab, const std::string& target);

  /// Asks every query of `dashboard`; passed when each returns data. The detail names those that
  /// do not.
  Check answers(const std::filesystem::path& dashboard);

 private:
  Prometheus(const Namespace& router, Process process)
      : router_(&router), process_(std::move(process)) {}
  /// The number of series that a query returns.
  [[nodiscard]] Result<std::size_t> series(const std::string& expression) const;

  const Namespace* router_;
  Process process_;
};

}  // namespace hopwise::lab

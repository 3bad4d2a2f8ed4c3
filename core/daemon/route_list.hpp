// The routes, page by page: what the data plane has set, in order, with each one's group or why it
// is the kernel's.
//
// A page is made in one go on the control loop, so it does not contradict itself, and looks at a
// bounded number of routes, so it holds the loop for some milliseconds however many there are.
// Pages follow each other by prefix: a route that comes or goes between two of them is shown or
// not, and none is shown twice.
#pragma once

#include "core/config/config.hpp"
#include "core/daemon/steering.hpp"
#include "core/dataplane/dataplane.hpp"
#include "core/model/route_page.hpp"
#include "core/routes/follower.hpp"

namespace hopwise {

struct RouteListParts {
  const dataplane::Dataplane& dataplane;
  const Steering& steering;
  const routes::Follower& follower;
  const config::Config& config;
};

/// Fails for a nexthop or group that is not known: the error names those that are.
Result<RoutePage> list_routes(const RouteListParts& parts, const RouteQuery& query);

}  // namespace hopwise

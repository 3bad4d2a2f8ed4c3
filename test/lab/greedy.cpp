#include "test/lab/greedy.hpp"

#include "test/lab/plan.hpp"

namespace hopwise::lab {

Result<Process> start_greedy(Lab& lab) {
  std::string targets, cases;
  for (std::size_t i = 0; i < lab.topology().upstreams.size(); ++i) {
    const Plan plan{i, lab.topology().wan};
    const std::string far = plan.core4("2");
    const std::string way = " via " + plan.gateway4() + " dev " + plan.router_device();
    if (auto routed = lab.router().ip("route replace " + far + "/32" + way); !routed)
      return routed.error();
    targets += " " + far;
    cases += far + ") ip route replace " + kServicePrefix4 + way + " metric 1;; ";
  }
  // fping -q -C 3: "10.98.0.2 : 20.1 20.3 -"; one without an answer is the slowest.
  const std::string script =
      "while :; do best=$(fping -q -C 3 -p 200 -t 500" + targets +
      " 2>&1 | awk '{s=0; n=0; for (k=3; k<=NF; k++) {n++; s += ($k == \"-\") ? 1000 : $k} "
      "print s/n, $1}' | sort -n | head -n 1 | cut -d' ' -f2); case $best in " +
      cases + "esac; sleep 0.4; done";
  return lab.start(lab.router(), {"bash", "-c", script}, "greedy");
}

}  // namespace hopwise::lab

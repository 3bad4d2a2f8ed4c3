// What `hopwise --help` and `hopwise COMMAND --help` teach below the list of options.
#pragma once

namespace hopwise::cli::help {

inline constexpr const char* kAbout =
    "hopwise measures every nexthop of the kernel's multipath routes and steers each flow to the\n"
    "better ones. It needs no configuration: `hopwise run` follows FRR, BIRD or static routes.\n";

inline constexpr const char* kExamples =
    "Examples:\n"
    "  hopwise check hopwise.json             is the file right? where is it not?\n"
    "  hopwise run                            measure and steer, until SIGTERM\n"
    "  hopwise status                         nexthops, states, shares, last decisions\n"
    "  hopwise probes isp-a                   what became of the probes through a nexthop\n"
    "  hopwise nexthops                       who they are, what uses them, since when\n"
    "  hopwise routes 203.0.113.9             the route of an address: which group, or why none\n"
    "  hopwise routes --left-to-kernel --count\n"
    "                                         how many are not steered\n"
    "  hopwise explain 10.0.0.2 203.0.113.9 tcp 40000 443\n"
    "                                         where this flow goes, and why\n"
    "  hopwise explain 1                      why group 1 is shared as it is\n"
    "  hopwise events -f                      decisions and what became of them, as they happen\n"
    "  hopwise flows --nexthop isp-a --sort rtt\n"
    "                                         the flows on a nexthop, the slowest first\n"
    "  hopwise trace isp-a 203.0.113.9        the hops on the way by isp-a\n"
    "  hopwise record /tmp/day.jsonl --duration 8h; hopwise simulate /tmp/day.jsonl -c new.json\n"
    "                                         what another configuration would have done\n"
    "  hopwise verify --wait 5s               does the data plane do what routing says?\n"
    "  hopwise detach                         remove all that hopwise ever left in the kernel\n"
    "  hopwise reflect --allow 203.0.113.0/24\n"
    "                                         let those hosts measure the path to here\n"
    "Exit status: 0 done, 1 failed, 2 wrong command line or configuration.";

inline constexpr const char* kRun =
    "Every multipath route of the main table is steered; every Ethernet interface that is no\n"
    "nexthop's gets `steer` on TC ingress, those that are get `observe`; each nexthop is probed "
    "at\n"
    "its gateway, or at the anchors that the configuration names.\n"
    "With --dry-run all that is decided and told, and nothing is installed: routing carries the\n"
    "traffic, and all of it is measured like the control group's.\n"
    "SIGHUP reloads the configuration, SIGTERM ends. However it ends, flows go on as they are for\n"
    "the lease (5 s), and by the kernel's own routes after that; the next run takes them over.\n"
    "Log: one line an event on standard error, key=value.";

inline constexpr const char* kCheck =
    "Prints every fault as FILE:LINE:COLUMN: KEY: what is wrong (what to write). `run` and "
    "`reload`\n"
    "refuse exactly what this refuses. All keys and defaults: core/config/example.json.";

inline constexpr const char* kStatus =
    "A nexthop is up, degraded (alive, but clearly slower than its own base or over its loss\n"
    "limit), down (nothing comes back) or in probation (new or recovering). A share is the part "
    "of\n"
    "new flows that a path gets; flows that exist stay on their nexthop until it is down.";

inline constexpr const char* kProbes =
    "One line for each anchor behind each nexthop. ANSWERED is of those sent, late replies "
    "included;\n"
    "LOST counts those too. VOID are probes from which nothing follows for the path: this host "
    "lost\n"
    "them or their replies (not_left, overflow), they left elsewhere (strayed), or gateway or "
    "rules\n"
    "changed meanwhile. PROVED is the share known to have left by the nexthop itself; STAMPS that "
    "of\n"
    "the replies whose time the kernel took; SPREAD how much slower the slowest pinned flow is "
    "than\n"
    "the fastest. A prober waits (for link and gateway), is probing, suspicious (faster), or "
    "unbound.";

inline constexpr const char* kNexthops =
    "FOR is how long it has been in its state. ROUTES are those whose traffic it may carry, WEIGHT "
    "the\n"
    "mean share of them that it has; GROUPS counts those of classes and destinations too. SOURCE: "
    "the\n"
    "kernel's routes use it, or it is a candidate that BGP told of.";

inline constexpr const char* kRoutes =
    "One line a route: prefix, group and nexthops, or why it is left to the kernel. -j: one JSON "
    "object\n"
    "a line. All are in order of family, address and length, asked for page by page: a million "
    "routes\n"
    "hold up neither the daemon nor this machine's memory; one that comes or goes meanwhile is "
    "shown or\n"
    "not, none twice. Exit status: 0 told, 1 no daemon, or no such route, 2 wrong line.";

inline constexpr const char* kExplain =
    "Asks the running daemon what the data path does with the next packet of a flow: the route "
    "that\n"
    "matches, its group, the flow's bucket and what it holds, the nexthop that an existing flow\n"
    "sticks to, the figures of every path, and the group's last decision with its reason.\n"
    "With a group's number or name alone: policy, mode, what holds it, whether steering pays, "
    "each\n"
    "path's cost term by term, what is predicted and measured, capacity, and the last decisions.";

inline constexpr const char* kEvents =
    "One line an event: time (UTC), number, whom it is of, reason, shares before>after in "
    "percent,\n"
    "cause, evidence, what was predicted; an effect tells what became of a decision. -f goes on, "
    "also\n"
    "over a restart of the daemon. Without a daemon the history's file is read (history.file).";

inline constexpr const char* kFlows =
    "Reads the data path's flow table, as root, whether a daemon runs or not; flows do not "
    "notice.\n"
    "RTT is between this router and the peer, from the traffic itself. SENT AGAIN counts TCP data\n"
    "segments that were retransmitted, whoever lost them. OUT is from LAN to WAN, BACK the "
    "answers.";

inline constexpr const char* kTrace =
    "`trace NEXTHOP DEST` has the daemon send echoes that leave by that nexthop and come as far "
    "as\n"
    "the 1st, 2nd, ... router, all as one flow. LOSS is of the way as far as a hop: one that "
    "answers\n"
    "less than those behind it only limits its answers. !H, !N, !X and the like are as "
    "traceroute's.\n"
    "The daemon traces by itself where a path goes down or degrades. `trace` alone lists what is\n"
    "kept, `trace ID` shows one. Exit status: 0 reached, 1 not reached, 2 wrong line.";

inline constexpr const char* kVerify =
    "Dumps the kernel's routing afresh, as root, and compares it with what the programs read: "
    "every\n"
    "IPv4 and IPv6 address, each group's nexthops and buckets, link and neighbour state, the "
    "programs\n"
    "on the interfaces. It changes nothing, and asks no daemon: with a dead one it tells what has\n"
    "changed since. Give it the daemon's configuration (-c). For 15 s after a start that awaits "
    "BGP's\n"
    "candidates, what an earlier daemon left may differ. Differences are looked at again "
    "until\n"
    "they stand for --wait: routing changes meanwhile. The first line begins with \"equal:\" or\n"
    "\"differs:\"; then each kind of fault with examples and what to do. What is left to the "
    "kernel\n"
    "for want of ids or room, and candidates from BGP, are told and are no faults.\n"
    "Exit status: 0 equal, 1 differs (or cannot be looked at: a line on standard error, no "
    "output),\n"
    "2 wrong line. -j: {\"equal\": ..., \"faults\": [{\"fault\": \"stale_route\", \"count\", "
    "\"meaning\",\n"
    "\"remedy\", \"examples\": [{\"subject\", \"detail\"}]}], \"lease_left_s\", \"routes4\", "
    "\"groups\", ...}.";

inline constexpr const char* kDetach =
    "For this network namespace, also after a crash: TC programs, pinned maps, the fwmark rules "
    "and\n"
    "tables of the probes. Traffic goes on by the kernel's routes. Doing it twice does no harm.";

inline constexpr const char* kReflect =
    "Reflects STAMP (RFC 8762, 8972) and TWAMP-Light, so that others measure loss and delay of "
    "each\n"
    "direction to this host. A reply is never longer than what it answers, and each source gets "
    "at\n"
    "most --rate; neither ports below 1024 nor reflectors' replies are answered (no loops). Needs "
    "no rights "
    "but\n"
    "for a port below 1024 (CAP_NET_BIND_SERVICE). The key is the file's bytes without the last "
    "line\n"
    "end; the file must not be readable by all. SIGUSR1 prints the counters, SIGTERM and SIGINT "
    "print\n"
    "them and end.";

inline constexpr const char* kRecord =
    "The daemon writes FILE: all that its engine is told and decides, about 10 MB an hour for 3\n"
    "nexthops with 3 anchors each. `hopwise simulate FILE` then tells what this hopwise, or one\n"
    "with another configuration (-c), would have done, and what that would have meant.";

inline constexpr const char* kSimulate =
    "Plays the scenario (test/sim/README.md describes the file, test/sim has examples) with the\n"
    "engine as it is, with the laws of other products, and with the oracle: the best fixed split\n"
    "between events, or more often where the scenario says so: then it foresees what no law can,\n"
    "and hindsight is what a fixed split could have had. REGRET is what more it costs than the\n"
    "oracle, a lost byte counting as 1 s of delay; STEADY leaves out the time after events. Needs\n"
    "neither daemon nor rights.\n"
    "A recording (`hopwise record`) is told to the engine as it is, or as -c has it: what it "
    "would\n"
    "have decided, next to what was, and what each would have meant by the recorded probes.";

}  // namespace hopwise::cli::help

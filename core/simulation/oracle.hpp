// The oracle: for each stretch between events the best split of the traffic that does not change
// within it, chosen by one who knows every parameter and the future.
//
// How: for each stretch, from the world as its predecessors left it, candidate splits are played in
// the very same stochastic simulation on the same luck (common random numbers), and the cheapest
// kept. Candidates: links filled in order of their delay up to a part of what they can carry, for
// several parts (the fluid optimum of linear delays, with headroom for bursts); shares by capacity;
// routing's own; the last stretch's. Then pattern search (Hooke & Jeeves 1961): shares go from one
// path to another while that is cheaper, in steps of 8 to 1 %. Cost: mean round-trip time, a lost
// byte counting as Scenario::loss_costs_ms. Groups with the same paths share one split.
//
// What it is not: a bound. It is greedy from stretch to stretch, judges a long stretch by its first
// quarter of an hour, and the search may end in a local optimum (its budget is finite). Within a
// stretch it does not react: where cross traffic or demand change all the time, a law that follows
// them can be better. Then let it choose more often (`oracle_every`): that sees the future, as no
// law can, and what a fixed split could have had is told beside it ("hindsight").
#pragma once

#include "core/simulation/run.hpp"

namespace hopwise::simulation {

Plan find_plan(const Scenario& scenario);

}  // namespace hopwise::simulation

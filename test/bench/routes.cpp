// Filling and changing the route tables, next to LPM tries by system calls with the same routes.
#include <bpf/bpf.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <stdexcept>

#include "core/dataplane/handle.hpp"
#include "core/dataplane/pins.hpp"
#include "test/bench/internet.hpp"
#include "test/bench/parts.hpp"
#include "test/bench/steering.hpp"
#include "test/bench/visit.hpp"
#include "test/lab/last_will.hpp"

namespace hopwise::bench {
namespace {

using dataplane::Dataplane;
using dataplane::Handle;

constexpr const char* kSection = "routes: fill and update";

double elapsed_s(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return seconds(std::chrono::steady_clock::now() - begin);
}

/// A number of `file`, of the line that begins with `name`.
double number_of(const std::string& file, const std::string& name) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(name)) return std::stod(line.substr(name.size()));
  throw std::runtime_error("no " + name + " in " + file);
}

double own_memory_mib() {
  return number_of("/proc/self/status", "RssAnon:") / 1024;
}

double locked_mib(int map) {
  return number_of("/proc/self/fdinfo/" + std::to_string(map), "memlock:") / (1 << 20);
}

/// The /24s among `routes`, with their positions, in random order.
std::vector<std::size_t> some_24s(const std::vector<Prefix>& routes, std::size_t count) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < routes.size() && found.size() < count; ++i)
    if (routes[i].length == 24) found.push_back(i);
  std::shuffle(found.begin(), found.end(), std::mt19937_64(24));
  return found;
}

/// Either kind of table.
struct Table {
  std::string name;
  std::function<void(const Prefix&, std::uint32_t group)> set;
  std::function<void(const Prefix&)> remove;
};

std::uint32_t group_of(const Prefix& route, std::size_t position) {
  return static_cast<std::uint32_t>((route.address.is_v4() ? 1 : kGroups + 1) + position % kGroups);
}

struct Work {
  std::vector<Prefix> routes4, routes6;
  std::vector<std::size_t> changing;  // positions in routes4
  int rounds = 5;
};

void add(Report& report, const Table& table, const std::string& column,
         const std::vector<double>& runs) {
  report.add({kSection, table.name, column, spread(runs)});
}

// Every round changes all of them, so that the next one finds the tables as they were.
void change(Report& report, const Table& table, const Work& work) {
  std::vector<double> moved, withdrawn, announced;
  const auto each = [&](const std::function<void(std::size_t)>& act) {
    return 1e9 * elapsed_s([&] {
             for (const std::size_t i : work.changing) act(i);
           }) /
           static_cast<double>(work.changing.size());
  };
  for (int round = 0; round < work.rounds; ++round) {
    moved.push_back(each([&](std::size_t i) {
      table.set(work.routes4[i],
                group_of(work.routes4[i], i + 1 + static_cast<std::size_t>(round)));
    }));
    withdrawn.push_back(each([&](std::size_t i) { table.remove(work.routes4[i]); }));
    announced.push_back(
        each([&](std::size_t i) { table.set(work.routes4[i], group_of(work.routes4[i], i)); }));
  }
  add(report, table, "another group, ns a /24", moved);
  add(report, table, "withdrawn, ns a /24", withdrawn);
  add(report, table, "announced, ns a /24", announced);
}

void fill(Report& report, const Table& table, const Work& work) {
  const auto fill_with = [&](const std::vector<Prefix>& routes) {
    return elapsed_s([&] {
      for (std::size_t i = 0; i < routes.size(); ++i) table.set(routes[i], group_of(routes[i], i));
    });
  };
  progress("routes: " + table.name);
  const AloneOnCpu alone;
  add(report, table, std::to_string(work.routes4.size()) + " v4, s", {fill_with(work.routes4)});
  add(report, table, std::to_string(work.routes6.size()) + " v6, s", {fill_with(work.routes6)});
  change(report, table, work);
}

void measure_tries(Report& report, const Work& work) {
  bpf_map_create_opts options{};
  options.sz = sizeof(options);
  options.map_flags = BPF_F_NO_PREALLOC;
  const auto make = [&](std::uint32_t key_bytes) {
    Handle map(
        bpf_map_create(BPF_MAP_TYPE_LPM_TRIE, "bench_trie", key_bytes, 4, 1U << 21, &options));
    if (!map) throw std::runtime_error(system_error("make an LPM trie", errno).message);
    return map;
  };
  const Handle trie4 = make(8), trie6 = make(20);
  struct Key {
    std::uint32_t length;
    std::array<std::uint8_t, 16> address;
  };
  const auto with = [&](const Prefix& route, const auto& act) {
    const Key key{route.length, route.address.bytes};
    if (act(route.address.is_v4() ? trie4.fd() : trie6.fd(), key) != 0)
      throw std::runtime_error(system_error("change an LPM trie", errno).message);
  };
  const Table table{"LPM tries, by system calls",
                    [&](const Prefix& route, std::uint32_t group) {
                      with(route, [&](int map, const Key& key) {
                        return bpf_map_update_elem(map, &key, &group, BPF_ANY);
                      });
                    },
                    [&](const Prefix& route) {
                      with(route,
                           [&](int map, const Key& key) { return bpf_map_delete_elem(map, &key); });
                    }};
  fill(report, table, work);
  const double locked = locked_mib(trie4.fd()) + locked_mib(trie6.fd());
  add(report, table, "kernel memory, MiB", {locked});
}

double locked_route_maps(const std::string& folder) {
  double sum = 0;
  for (const char* name : {"hw_routes4", "hw_blocks4", "hw_routes6", "hw_nodes6"}) {
    const Handle map(bpf_obj_get((folder + '/' + name).c_str()));
    if (!map) throw std::runtime_error(system_error("open " + folder + '/' + name, errno).message);
    sum += locked_mib(map.fd());
  }
  return sum;
}

void measure_hopwise(Report& report, const Work& work) {
  const std::string pin_root = "/sys/fs/bpf/hopwise-bench-routes-" + std::to_string(getpid());
  const auto unpin = lab::LastWill::write("rm -rf " + pin_root).value();
  const auto where = lab::Namespace::create("rts").value();
  const Visit visit(where);
  dataplane::Options options;
  options.pin_root = pin_root;
  const std::array<Uplink, 1> uplinks{{{1, "lo", {"192.0.2.2", "2001:db8::2"}, std::nullopt}}};
  const auto dataplane = steering(options, dataplane::Affinity::flow, uplinks);
  const double before = own_memory_mib();
  const Table table{"hopwise",
                    [&](const Prefix& route, std::uint32_t group) {
                      dataplane->set_route(route, GroupId{group}).value();
                    },
                    [&](const Prefix& route) { dataplane->remove_route(route).value(); }};
  fill(report, table, work);
  const std::string folder =
      std::filesystem::directory_iterator(pin_root)->path() / dataplane::abi_name();
  const double locked = locked_route_maps(folder);
  add(report, table, "kernel memory, MiB", {locked});
  add(report, table, "own memory, MiB", {own_memory_mib() - before});
  report.judge({"routes: locked memory of the route tables", Bound::at_most, 96, locked, "MiB"});
  for (const char* column :
       {"another group, ns a /24", "withdrawn, ns a /24", "announced, ns a /24"})
    report.judge({std::string("routes: ") + column, Bound::at_most, 1000,
                  report.median(kSection, table.name, column), "ns"});
}

}  // namespace

void measure_routes(Report& report, Effort effort) {
  const bool full = effort == Effort::full;
  Work work;
  work.routes4 = internet(Family::v4, full ? 1'000'000 : 100'000);
  work.routes6 = internet(Family::v6, full ? 200'000 : 20'000);
  work.changing = some_24s(work.routes4, full ? 100'000 : 20'000);
  work.rounds = full ? 5 : 3;
  report.explain(kSection,
                 "By Dataplane::set_route() and remove_route(), which keep the covering "
                 "prefixes; " +
                     std::to_string(work.changing.size()) + " random /24s are changed in each of " +
                     std::to_string(work.rounds) + " rounds.");
  measure_hopwise(report, work);
  measure_tries(report, work);
}

}  // namespace hopwise::bench

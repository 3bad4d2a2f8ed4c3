// What the kernel's verifier says of the BPF programs: verifier OBJECT...
//
// Loads every program of every object twice, with all that one actuator can do switched on (what
// has no settings once, as it is), and prints what it cost. Fails when a program is refused, or
// costs more than the budget: the limit is a million instructions, but kernels differ in how well
// they prune.
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <sys/utsname.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/abi.h"

namespace {

constexpr std::uint32_t kBudget = 200'000;
constexpr std::uint32_t kStatistics = 4;  // log level: no trace, only the last lines

struct Variant {
  const char* name;
  std::optional<hw_settings> settings;
};

constexpr std::array<Variant, 2> kVariants{{
    {"redirect", hw_settings{HW_ACTUATOR_REDIRECT, 1, 1, 0, 6554, 4096, 100, 0}},
    {"mark", hw_settings{HW_ACTUATOR_MARK, 1, 1, 0, 6554, 4096, 100, 0}},
}};
constexpr Variant kAsItIs{"-", std::nullopt};

struct Object {
  explicit Object(const std::string& file)
      : object(bpf_object__open_file(file.c_str(), nullptr), bpf_object__close) {}

  std::unique_ptr<bpf_object, void (*)(bpf_object*)> object;
  std::vector<std::unique_ptr<std::array<char, 16384>>> logs;
};

// Where the variable lies in its section, by the object's own type information.
bool choose(bpf_object* object, const hw_settings& settings) {
  bpf_map* rodata = nullptr;
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (bpf_map__is_internal(map) && std::string_view(bpf_map__name(map)).ends_with(".rodata"))
      rodata = map;
  }
  const btf* types = bpf_object__btf(object);
  const int section = btf__find_by_name_kind(types, ".rodata", BTF_KIND_DATASEC);
  if (rodata == nullptr || section < 0) return false;
  const btf_type* type = btf__type_by_id(types, static_cast<__u32>(section));
  for (__u32 i = 0; i < btf_vlen(type); ++i) {
    const btf_var_secinfo& place = btf_var_secinfos(type)[i];
    const btf_type* variable = btf__type_by_id(types, place.type);
    if (std::string_view(btf__name_by_offset(types, variable->name_off)) != "hw_settings") continue;
    std::size_t size = 0;
    const auto* before = static_cast<const char*>(bpf_map__initial_value(rodata, &size));
    if (before == nullptr || place.offset + sizeof(settings) > size) return false;
    std::vector<char> bytes(before, before + size);
    std::memcpy(bytes.data() + place.offset, &settings, sizeof(settings));
    return bpf_map__set_initial_value(rodata, bytes.data(), size) == 0;
  }
  return false;
}

// "stack depth 176+64", "processed 8213 insns (...) max_states_per_insn 4 ... peak_states 280".
std::string word_after(std::string_view log, std::string_view key) {
  const std::size_t at = log.rfind(key);
  if (at == std::string_view::npos) return "-";
  const std::size_t from = at + key.size();
  return std::string(log.substr(from, log.find_first_of(" \n", from) - from));
}

std::string compiler_of(const std::string& file) {
  const std::string name = file.substr(file.find_last_of('/') + 1);
  return name.substr(0, name.find('.'));
}

bool has_settings(const std::string& file) {
  const Object object(file);
  const btf* types = object.object ? bpf_object__btf(object.object.get()) : nullptr;
  return types != nullptr && btf__find_by_name_kind(types, "hw_settings", BTF_KIND_VAR) > 0;
}

// Without a buffer of ours libbpf itself prints the verifier's words when it refuses.
bool explain_refusal(const std::string& file, const Variant& variant) {
  const Object again(file);
  if (again.object && variant.settings) choose(again.object.get(), *variant.settings);
  if (again.object) (void)bpf_object__load(again.object.get());
  return false;
}

bool report(const std::string& file, const Variant& variant, const char* kernel) {
  Object loaded(file);
  bpf_object* object = loaded.object.get();
  if (object == nullptr || (variant.settings && !choose(object, *variant.settings))) {
    std::fprintf(stderr, "%s: not an object with hw_settings\n", file.c_str());
    return false;
  }
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    auto& log = loaded.logs.emplace_back(std::make_unique<std::array<char, 16384>>());
    bpf_program__set_log_buf(program, log->data(), log->size());
    bpf_program__set_log_level(program, kStatistics);
  }
  if (bpf_object__load(object) != 0) return explain_refusal(file, variant);
  bool within = true;
  std::size_t number = 0;
  bpf_object__for_each_program(program, object) {
    const std::string_view log = loaded.logs[number++]->data();
    bpf_prog_info info{};
    __u32 size = sizeof(info);
    const bool told = bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size) == 0;
    const bool good = told && info.verified_insns > 0 && info.verified_insns <= kBudget;
    std::printf("%-12s %-9s %-10s %-24s %8u %7s %9s%s\n", bpf_program__name(program), variant.name,
                compiler_of(file).c_str(), kernel, info.verified_insns,
                word_after(log, "peak_states ").c_str(), word_after(log, "stack depth ").c_str(),
                good ? "" : "  OVER BUDGET");
    within = within && good;
  }
  return within && number > 0;
}

}  // namespace

int main(int argc, char** argv) {
  utsname system{};
  uname(&system);
  std::printf("%-12s %-9s %-10s %-24s %8s %7s %9s\n", "program", "settings", "compiler", "kernel",
              "insns", "states", "stack");
  bool good = argc > 1;
  for (int i = 1; i < argc; ++i) {
    if (!has_settings(argv[i])) {
      good = report(argv[i], kAsItIs, system.release) && good;
      continue;
    }
    for (const Variant& variant : kVariants)
      good = report(argv[i], variant, system.release) && good;
  }
  std::printf("verifier: %s (budget %u instructions a program)\n", good ? "accepted" : "FAILED",
              kBudget);
  return good ? 0 : 1;
}

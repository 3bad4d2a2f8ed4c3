// A variant of the steering program, loaded on the maps of a data plane that has them pinned.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "bpf/abi.h"

struct bpf_object;

namespace hopwise::bench {

class Program {
 public:
  /// `elf`: the object file. Maps are those of `folder` by name, then those of `other` (which may
  /// be null), then new ones.
  Program(std::span<const std::byte> elf, const std::optional<hw_settings>& settings,
          const std::string& folder, const Program* other);
  Program(Program&&) = default;

  [[nodiscard]] int map(const std::string& name) const;
  [[nodiscard]] int entry(const std::string& name) const;

 private:
  std::unique_ptr<bpf_object, void (*)(bpf_object*)> object_;
};

/// What a program that is loaded without settings has (bpf/settings.h), as a daemon chooses them.
hw_settings usual_settings();

/// The packet as it was given comes back changed. Returns the verdict.
int run_once(int program, std::span<std::uint8_t> packet, std::uint32_t ifindex);

/// Nanoseconds a run, of `repeat` runs on the same packet: for programs that change nothing.
double run_many(int program, std::span<std::uint8_t> packet, std::uint32_t ifindex, int repeat);

}  // namespace hopwise::bench

// The loaded BPF object: its programs, and its maps, new or taken over from where they are pinned.
#pragma once

#include <memory>
#include <string>

#include "core/dataplane/dataplane.hpp"
#include "core/dataplane/tables.hpp"
#include "core/model/result.hpp"

struct hopwise_bpf;

namespace hopwise::dataplane {

/// What the programs are loaded with.
hw_settings settings_of(const Options& options);

class Programs {
 public:
  /// `folder`: where the maps are pinned; "" pins none. Pinned maps are taken over when every one
  /// is there and defined as ours are; otherwise they are set aside and new ones take their place.
  static Result<Programs> load(const std::string& folder, const hw_settings& settings);

  /// Pins the maps whose pins somebody removed.
  [[nodiscard]] Result<> keep_pinned(const std::string& folder) const;

  [[nodiscard]] int steer_fd() const;
  [[nodiscard]] int observe_fd() const;
  [[nodiscard]] int local_fd() const;
  [[nodiscard]] MapFds maps() const;
  /// Why maps that were pinned were not taken over; empty when they were, or there were none.
  [[nodiscard]] const std::string& set_aside() const { return set_aside_; }

 private:
  struct Destroy {
    void operator()(hopwise_bpf* object) const;
  };
  explicit Programs(hopwise_bpf* object) : object_(object) {}
  std::unique_ptr<hopwise_bpf, Destroy> object_;
  std::string set_aside_;
};

}  // namespace hopwise::dataplane

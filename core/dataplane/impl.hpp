// The parts that make up a Dataplane. Seen by its own sources only.
#pragma once

#include <memory>

#include "core/dataplane/attach.hpp"
#include "core/dataplane/dataplane.hpp"
#include "core/dataplane/escapes.hpp"
#include "core/dataplane/flows.hpp"
#include "core/dataplane/passive.hpp"
#include "core/dataplane/programs.hpp"
#include "core/dataplane/routes.hpp"
#include "core/dataplane/tables.hpp"
#include "core/dataplane/weights.hpp"

namespace hopwise::dataplane {

struct Dataplane::Impl {
  struct Loaded {
    Programs programs;
    Tables tables;
    RouteMaps routes;
    Escapes escapes;
    GracePeriod wait;
  };
  Impl(const Options& chosen, std::string pin_folder, Loaded loaded);
  void adopt();
  /// Puts back the pin folder and the maps' pins where somebody removed them.
  [[nodiscard]] Result<> keep_pinned() const;

  Options options;
  std::string folder;  // of this namespace, holding one folder an ABI; "" when nothing is pinned
  Programs programs;
  Tables tables;
  Weights weights;
  Passive passive;
  Escapes escapes;
  EntryReader flow_reader;
  RouteMaps route_maps;
  RouteTable routes;
  Attachments attachments;
  Adopted adopted;
};

}  // namespace hopwise::dataplane

#include "core/model/bandwidth.hpp"

namespace hopwise {

std::string_view text(BandwidthMethod method) {
  switch (method) {
    case BandwidthMethod::configured:
      return "configured";
    case BandwidthMethod::link:
      return "link";
    case BandwidthMethod::passive_peak:
      return "passive_peak";
    case BandwidthMethod::train:
      return "train";
  }
  return "unknown";
}

}  // namespace hopwise

#include "core/model/bgp.hpp"

#include <array>

namespace hopwise {

std::string_view text(BgpState state) {
  constexpr std::array<std::string_view, kBgpStates> kNames{"held_off", "active", "open_sent",
                                                            "open_confirm", "established"};
  return kNames[static_cast<std::size_t>(state)];
}

}  // namespace hopwise

// The lab's addressing plan: names and addresses of everything, in one place. lab.hpp draws it.
#pragma once

#include <string>

#include "test/lab/lab.hpp"

namespace hopwise::lab {

inline constexpr const char* kServicePrefix4 = "203.0.113.0/24";
inline constexpr const char* kServicePrefix6 = "2001:db8:113::/48";
inline constexpr const char* kClientPrefix4 = "10.10.0.0/24";
inline constexpr const char* kClientPrefix6 = "fd00:10::/64";
inline constexpr const char* kSecondClientPrefix4 = "10.11.0.0/24";
inline constexpr const char* kSecondClientPrefix6 = "fd00:11::/64";
inline constexpr unsigned kRouterAs = 65000;

/// How upstream `i` and the router see each other, and upstream `i` and the server.
struct Plan {
  std::size_t i;
  Wan wan;

  [[nodiscard]] std::string number() const { return std::to_string(i); }
  [[nodiscard]] bool shared() const { return wan == Wan::shared; }
  [[nodiscard]] unsigned as() const { return 65100 + static_cast<unsigned>(i); }

  [[nodiscard]] std::string router_device() const { return shared() ? "wan0" : "wan" + number(); }
  [[nodiscard]] std::string net4() const {
    return shared() ? "10.99.0." : "10.99." + number() + ".";
  }
  [[nodiscard]] std::string net6() const {
    return shared() ? "fd00:99::" : "fd00:99:" + number() + "::";
  }
  [[nodiscard]] std::string bits4() const { return shared() ? "/24" : "/30"; }
  [[nodiscard]] std::string host() const { return shared() ? std::to_string(i + 2) : "2"; }
  [[nodiscard]] std::string router4() const { return net4() + "1"; }
  [[nodiscard]] std::string router6() const { return net6() + "1"; }
  [[nodiscard]] std::string gateway4() const { return net4() + host(); }
  [[nodiscard]] std::string gateway6() const { return net6() + host(); }
  // Different on every interface: FRR 8.4 takes two nexthops of the same link-local address for
  // one, whatever their interfaces, and makes no multipath route of them.
  [[nodiscard]] std::string gateway_link_local() const { return "fe80::" + std::to_string(i + 2); }

  // What an EUI-64 identifier of gateway_link_local() would be made of.
  [[nodiscard]] std::string link_local_mac() const {
    return "02:00:00:00:00:0" + std::to_string(i + 2);
  }

  // The second site's WAN link: "1" is the router's end, "2" the upstream's.
  [[nodiscard]] std::string second4(const char* end) const {
    return "10.97." + number() + "." + end;
  }
  [[nodiscard]] std::string second6(const char* end) const {
    return "fd00:97:" + number() + "::" + end;
  }
  [[nodiscard]] std::string second_device() const { return "wan" + number(); }

  // The line of one prefix: "1" is the upstream's end, "2" the server's.
  [[nodiscard]] std::string own4(const char* end) const { return "10.96." + number() + "." + end; }
  [[nodiscard]] std::string own6(const char* end) const {
    return "fd00:96:" + number() + "::" + end;
  }
  [[nodiscard]] std::string own_device() const { return "own" + number(); }

  [[nodiscard]] std::string core_device() const { return "core" + number(); }
  [[nodiscard]] std::string core4(const char* end) const { return "10.98." + number() + "." + end; }
  [[nodiscard]] std::string core6(const char* end) const {
    return "fd00:98:" + number() + "::" + end;
  }
};

}  // namespace hopwise::lab

#include "core/daemon/actuator.hpp"

#include "test/catch.hpp"

using namespace hopwise;
using dataplane::Actuator;
using Kind = KernelPolicy::Kind;

namespace {

constexpr std::uint32_t kOurs = 5200;

const KernelPolicy kNat{Kind::netfilter, "nftables ip nat postrouting"};
const KernelPolicy kVrf{Kind::vrf, "vrf blue"};
const KernelPolicy kIpsec{Kind::xfrm, "ip xfrm policy"};
const KernelPolicy kStrict{Kind::rp_filter, "rp_filter eth0"};
const KernelPolicy kEarly{Kind::rule, "ip rule 100", 100};
const KernelPolicy kLate{Kind::rule, "ip rule 6000", 6000};

ActuatorChoice choose(Actuator configured, std::vector<KernelPolicy> found) {
  return choose_actuator(configured, {boost::system::in_place_value, std::move(found)}, kOurs);
}

}  // namespace

TEST_CASE("auto is redirect where nothing would be skipped, and mark where it would") {
  CHECK(choose(Actuator::automatic, {}).actuator == Actuator::redirect);
  for (const KernelPolicy& policy : {kNat, kVrf, kIpsec, kStrict, kEarly}) {
    const ActuatorChoice choice = choose(Actuator::automatic, {policy});
    CAPTURE(policy.text);
    CHECK(choice.actuator == Actuator::mark);
    CHECK(choice.because == "redirect would skip \"" + policy.text + '"');
  }
  // Marks would not obey it either.
  CHECK(choose(Actuator::automatic, {kLate}).actuator == Actuator::redirect);
  CHECK(choose(Actuator::automatic, {kLate, kNat}).because ==
        "redirect would skip \"nftables ip nat postrouting\"");
}

TEST_CASE("what the configuration names is taken, whatever is found") {
  CHECK(choose(Actuator::redirect, {kNat}).actuator == Actuator::redirect);
  CHECK(choose(Actuator::mark, {}).actuator == Actuator::mark);
}

TEST_CASE("where the kernel's rules cannot be listed, they are not skipped") {
  const ActuatorChoice choice =
      choose_actuator(Actuator::automatic, Error{"list nftables rules: refused"}, kOurs);
  CHECK(choice.actuator == Actuator::mark);
  CHECK(choice.because.find("list nftables rules: refused") != std::string::npos);
}

TEST_CASE("a long rule set is told by its beginning") {
  const ActuatorChoice choice = choose(Actuator::automatic, std::vector(100, kNat));
  CHECK(choice.because.size() < 400);
  CHECK(choice.because.ends_with("and 92 more"));
}

TEST_CASE("marks skip policy rules behind our own, and nothing else") {
  const std::vector found{kNat, kVrf, kEarly, kLate, kIpsec, kStrict};
  CHECK(skipped_by(Actuator::redirect, found, kOurs).size() == found.size());
  CHECK(skipped_by(Actuator::mark, found, kOurs) == std::vector<std::string>{"ip rule 6000"});
}

TEST_CASE("a held redirect says that a restart helps, where it does") {
  const auto held = [](Actuator configured, Actuator in_use, const KernelPolicy& found) {
    return why_held(configured, in_use, {found}, kOurs);
  };
  const std::string later = held(Actuator::automatic, Actuator::redirect, kNat);
  CHECK(later.find("\"nftables ip nat postrouting\"") != std::string::npos);
  CHECK(later.find("restart hopwise") != std::string::npos);
  const std::string named = held(Actuator::redirect, Actuator::redirect, kNat);
  CHECK(named.find("restart") == std::string::npos);
  CHECK(named.find("bypass_policy") != std::string::npos);
  CHECK(held(Actuator::automatic, Actuator::redirect, kLate).find("restart") == std::string::npos);
  CHECK(held(Actuator::automatic, Actuator::mark, kNat).empty());
  CHECK(held(Actuator::mark, Actuator::mark, kLate).starts_with("marked packets would skip"));
}

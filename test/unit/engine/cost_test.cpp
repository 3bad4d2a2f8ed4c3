#include "core/engine/cost.hpp"

#include "test/catch.hpp"

using namespace hopwise::engine;

namespace {

Reading clean(double rtt_ms) {
  return {rtt_ms, rtt_ms, rtt_ms, 0, {0, 0.01}, 0, 200};
}

}  // namespace

TEST_CASE("the score is the law's sum and saturates term by term", "[engine]") {
  const Options o;
  CHECK(score_terms(clean(5), o.policy).total() == 0);
  CHECK(score_terms(clean(65), o.policy).total() == Approx(0.5));
  CHECK(score_terms(clean(120), o.policy).total() == Approx(1));
  CHECK(score_terms(clean(900), o.policy).total() == Approx(1));
  Reading r = clean(65);
  r.rtt_ms += 30;  // queue: half of 50 ms beyond the quiet 5
  CHECK(score_terms(r, o.policy).total() == Approx(0.5 + 0.25));
  r = clean(65);
  r.loss.lower = 0.03;
  CHECK(score_terms(r, o.policy).total() == Approx(0.5 + 0.5));
  r.loss.lower = 1;
  r.jitter_ms = 300;
  CHECK(score_terms(r, o.policy).total() == Approx(0.5 + 1 + 0.25));
}

TEST_CASE("the dead band is the largest of ratio, absolute and noise", "[engine]") {
  const Options o;
  CHECK(score_band(clean(50), clean(60), o.policy, o) == Approx(5.0 / 110));
  CHECK(score_band(clean(2), clean(3), o.policy, o) == Approx(1.0 / 110));
  Reading noisy = clean(50);
  noisy.jitter_ms = 40;
  CHECK(score_band(clean(50), noisy, o.policy, o) > score_band(clean(50), clean(50), o.policy, o));
  noisy.samples = 20;
  const double few = score_band(clean(50), noisy, o.policy, o);
  noisy.samples = 2000;
  CHECK(score_band(clean(50), noisy, o.policy, o) < few);
}

TEST_CASE("the alarm tells bad from worse without end", "[engine]") {
  const Options o;
  CHECK(alarm_cost(clean(500), o.policy) > alarm_cost(clean(400), o.policy));
  Reading lossy = clean(20);
  lossy.alarm_loss = 0.1;
  CHECK(alarm_cost(lossy, o.policy) > alarm_cost(clean(120), o.policy));
}

TEST_CASE("equally lossy paths are equal, surely lossier ones are dearer", "[engine]") {
  const Options o;
  Reading a = clean(20);
  Reading b = clean(20);
  a.loss = {0.01, 0.04};
  b.loss = {0.02, 0.06};
  CHECK(score_excess(a, b, o.policy) == 0);
  CHECK(score_excess(clean(20), b, o.policy) == Approx(0.25));
  CHECK(score_excess(b, clean(20), o.policy) == Approx(-0.25));
}

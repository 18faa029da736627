// Parser, store and answers together against the reference model: any legal or
// illegal stream of commands, cut anywhere, with a clock that moves.

#include <random>
#include <string>

#include "gtest/gtest.h"
#include "percore/tests/examples/kv_server/local_session.h"
#include "percore/tests/examples/kv_server/random_requests.h"
#include "percore/tests/examples/kv_server/reference_model.h"

namespace percore::kv {
namespace {

class ModelTest : public testing::TestWithParam<uint64_t> {};

TEST_P(ModelTest, AnswersAreTheModels) {
  ManualClock clock;
  Store store({.memory_limit = size_t{1} << 30}, clock);
  LocalSession session(store);
  ReferenceModel model;
  RandomRequests requests({.seed = GetParam(),
                           .virtual_time = true,
                           .flush_all = true,
                           .huge_one_in = 300});
  for (int i = 0; i < 4000; ++i) {
    if (requests.Below(5) == 0) clock.AdvanceSeconds(1);
    const Request request = requests.Next(model);
    const std::string wire = request.Wire();
    const Expected expected = model.Apply(request, clock.now_ms);
    const size_t cut = requests.Below(wire.size() + 1);
    std::string actual = session.Feed(std::string_view(wire).substr(0, cut));
    actual += session.Feed(std::string_view(wire).substr(cut));
    ASSERT_EQ(model.Match(expected, actual), actual.size())
        << "seed " << GetParam() << ", command " << i << ": "
        << wire.substr(0, 300) << "\nexpected: " << expected.text.substr(0, 500)
        << "\nactual: " << actual.substr(0, 500);
  }
}

TEST_P(ModelTest, PipelinedStreamCutAnywhere) {
  ManualClock clock;
  Store store({.memory_limit = size_t{1} << 30}, clock);
  LocalSession session(store);
  ReferenceModel model;
  RandomRequests requests({.seed = GetParam(), .huge_one_in = 400});
  for (int round = 0; round < 60; ++round) {
    std::string wire;
    std::vector<Expected> expected;
    for (int i = 0; i < 50; ++i) {
      const Request request = requests.Next(model);
      wire += request.Wire();
      expected.push_back(model.Apply(request, clock.now_ms));
    }
    std::string actual;
    for (size_t at = 0; at < wire.size();) {
      const size_t piece =
          1 + requests.Below(requests.Below(3) == 0 ? 4 : 3000);
      actual += session.Feed(std::string_view(wire).substr(at, piece));
      at += piece;
    }
    std::string_view rest = actual;
    for (const Expected& answer : expected) {
      const size_t matched = model.Match(answer, rest);
      ASSERT_NE(matched, std::string::npos)
          << "seed " << GetParam()
          << "\nexpected: " << answer.text.substr(0, 300)
          << "\nactual: " << rest.substr(0, 300);
      rest.remove_prefix(matched);
    }
    ASSERT_EQ(rest, "");
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ModelTest,
                         testing::Range(uint64_t{1}, uint64_t{9}));

}  // namespace
}  // namespace percore::kv

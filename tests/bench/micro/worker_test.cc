#include "percore/bench/micro/worker.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

namespace percore::bench {
namespace {

// Answers its process and how often it was run; dies at the fourth time.
class Probe : public Case {
 public:
  std::vector<double> Run() override {
    if (++runs_ == 4) _exit(3);
    return {static_cast<double>(getpid()), static_cast<double>(runs_)};
  }
  double operations() const override { return 1; }

 private:
  int runs_ = 0;
};

const CaseFactory kMakeProbe = [](const Workload&, const EventApi*) {
  return std::make_unique<Probe>();
};

TEST(Worker, RunsInAProcessOfItsOwnAndItsDeathIsToldNotShared) {
  Worker worker(kMakeProbe, {"probe", 0, 0}, nullptr, -1);
  const std::vector<double> first = worker.Sample();
  ASSERT_EQ(first.size(), 2u);
  EXPECT_NE(first[0], static_cast<double>(getpid()));
  EXPECT_EQ(first[1], 1);
  EXPECT_EQ(worker.Sample()[1], 2);
  EXPECT_EQ(worker.Sample()[1], 3);
  EXPECT_TRUE(worker.Sample().empty());
  EXPECT_EQ(worker.error(), "the worker died");
  EXPECT_TRUE(worker.Sample().empty());
}

TEST(Worker, AMissingLibraryIsAnErrorNotACrash) {
  std::string error;
  const LibraryFiles files = {"/nowhere/core.so", "/nowhere/pthreads.so"};
  EXPECT_EQ(MakeCase(kMakeProbe, {"probe", 0, 0}, &files, &error), nullptr);
  EXPECT_NE(error.find("/nowhere/core.so"), std::string::npos);

  Worker worker(kMakeProbe, {"probe", 0, 0}, &files, -1);
  EXPECT_TRUE(worker.Sample().empty());
  EXPECT_FALSE(worker.error().empty());
}

}  // namespace
}  // namespace percore::bench

// The faults of g++ 12 with coroutines that task.h lists: the safe spelling of
// each works, and counts as many destructions as constructions.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "percore/runtime/core/driver.h"
#include "percore/runtime/core/task.h"

namespace percore {
namespace {

template <typename T>
Driver Drive(Task<T> task, std::optional<T>* out) {
  out->emplace(co_await task);
}

template <typename T>
T RunNow(Task<T> task) {
  CoreScope scope;
  std::optional<T> out;
  Drive(std::move(task), &out).Start(&scope);
  return std::move(*out);
}

// Constructions less destructions.
int alive = 0;

struct Counted {
  Counted() { ++alive; }
  Counted(const Counted&) { ++alive; }
  Counted(Counted&&) noexcept { ++alive; }
  ~Counted() { --alive; }
};

struct Aggregate {
  Counted counted;
  std::string text;
};

struct WithConstructor {
  explicit WithConstructor(std::string t) : text(std::move(t)) {}
  Counted counted;
  std::string text;
};

const char kLong[] = "long enough not to be kept inside the string object";

Task<std::size_t> Length(Aggregate value) { co_return value.text.size(); }
Task<std::size_t> LengthOf(WithConstructor value) {
  co_return value.text.size();
}

// 1. An aggregate in braces as an argument of what is awaited: name it.
Task<std::size_t> NamedAggregate() {
  Aggregate value{{}, kLong};
  co_return co_await Length(std::move(value));
}
Task<std::size_t> ConstructedArgument() {
  co_return co_await LengthOf(WithConstructor(kLong));
}

TEST(GccCoroutines, ANamedAggregateIsDestroyedOnce) {
  alive = 0;
  EXPECT_EQ(RunNow(NamedAggregate()), sizeof(kLong) - 1);
  EXPECT_EQ(alive, 0);
}

TEST(GccCoroutines, AConstructedTemporaryIsDestroyedOnce) {
  alive = 0;
  EXPECT_EQ(RunNow(ConstructedArgument()), sizeof(kLong) - 1);
  EXPECT_EQ(alive, 0);
}

// 2. A braced list of awaited values: await into names first.
Task<std::string> Text(std::string text) { co_return text; }

Task<std::vector<std::string>> NamesFirst() {
  std::string a = co_await Text(std::string(kLong) + "a");
  std::string b = co_await Text(std::string(kLong) + "b");
  std::vector<std::string> list{std::move(a), std::move(b)};
  co_return list;
}

TEST(GccCoroutines, AListBuiltFromNamesIsWhole) {
  const auto list = RunNow(NamesFirst());
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0], std::string(kLong) + "a");
  EXPECT_EQ(list[1], std::string(kLong) + "b");
}

// Of the language: captures live in the lambda, parameters in the frame.
TEST(GccCoroutines, ParametersOutliveTheLambdaCapturesDoNot) {
  Task<std::string> task;
  {
    const auto lambda = [](std::string text) -> Task<std::string> {
      co_return text + "!";
    };
    task = lambda(kLong);
  }
  EXPECT_EQ(RunNow(std::move(task)), std::string(kLong) + "!");
}

// 3. co_await in a branch of ?: (the temporaries of both branches are
// destroyed, whichever was taken): if and else.
Task<std::string> Either(bool first) {
  std::string text;
  if (first) {
    text = co_await Text(kLong);
  } else {
    text = co_await Text("short");
  }
  co_return text;
}
// Or choose the task, and await it once.
Task<std::string> EitherTask(bool first) {
  Task<std::string> task = first ? Text(kLong) : Text("short");
  co_return co_await task;
}

TEST(GccCoroutines, ABranchIsWrittenAsIf) {
  EXPECT_EQ(RunNow(Either(true)), kLong);
  EXPECT_EQ(RunNow(Either(false)), "short");
  EXPECT_EQ(RunNow(EitherTask(true)), kLong);
  EXPECT_EQ(RunNow(EitherTask(false)), "short");
}

// These are right in g++ 12, and stay so.
Task<bool> ShortCircuit(bool first) {
  co_return first && (co_await Text(kLong)).size() > 10;
}

Task<std::size_t> RangeFor() {
  std::size_t sum = 0;
  const auto list = co_await NamesFirst();
  for (const std::string& text : list) sum += text.size();
  co_return sum;
}

Task<std::size_t> MoveOnlyArgument(std::unique_ptr<std::string> text) {
  Counted counted;
  co_return text->size();
}

Task<std::size_t> Arguments() {
  co_return co_await MoveOnlyArgument(std::make_unique<std::string>(kLong)) +
      co_await MoveOnlyArgument(std::make_unique<std::string>("four"));
}

TEST(GccCoroutines, OrdinaryExpressionsAreSafe) {
  alive = 0;
  EXPECT_TRUE(RunNow(ShortCircuit(true)));
  EXPECT_FALSE(RunNow(ShortCircuit(false)));
  EXPECT_EQ(RunNow(RangeFor()), 2 * sizeof(kLong));
  EXPECT_EQ(RunNow(Arguments()), sizeof(kLong) - 1 + 4);
  EXPECT_EQ(alive, 0);
}

}  // namespace
}  // namespace percore

// What a fuzz target is, with libFuzzer and without.
//
// A target is one file that defines LLVMFuzzerTestOneInput and Corpus. With
// clang it links libFuzzer (-fsanitize=fuzzer), which ignores Corpus. Under
// any other compiler it links driver.cc, whose main runs every seed as it is
// and then a number of mutations of them, always the same ones, so that it is
// a test like others: fuzz_test in defs.bzl makes it.
//
//   parse_x_fuzz [--runs=N] [--seed=S] [FILE...]
//
// Files are run as inputs instead: that is how a finding is replayed. The
// input at hand is printed when the process dies.
#ifndef PERCORE_TESTS_FUZZ_DRIVER_H_
#define PERCORE_TESTS_FUZZ_DRIVER_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

// The target. Returns 0; a finding ends the process.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size);

namespace percore::fuzz {

struct Corpus {
  // Inputs worth starting from: every form, every edge.
  std::vector<std::string_view> seeds;
  // Pieces that mutations put in: what the grammar is made of.
  std::vector<std::string_view> tokens;
  // The longest input that mutations make.
  std::size_t max_size = 256;
};

// Defined by the target.
Corpus TheCorpus();

[[noreturn]] void Found(const char* file, int line, const char* what);

}  // namespace percore::fuzz

// Something that must hold for every input.
#define FUZZ_CHECK(condition)         \
  ((condition) ? static_cast<void>(0) \
               : ::percore::fuzz::Found(__FILE__, __LINE__, #condition))

#endif  // PERCORE_TESTS_FUZZ_DRIVER_H_

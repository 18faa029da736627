#include "tests/fuzz/driver.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <string_view>

namespace percore::fuzz {
namespace {

using Random = std::mt19937_64;

// The input at hand, for the report of a crash.
const std::uint8_t* current_data = nullptr;
std::size_t current_size = 0;

// Only write(2): this runs in a signal handler.
void PrintInput() {
  static constexpr char kHex[] = "0123456789abcdef";
  static constexpr char kHead[] = "input, in hexadecimal: ";
  (void)!write(2, kHead, sizeof(kHead) - 1);
  for (std::size_t i = 0; i < current_size; ++i) {
    const char digits[2] = {kHex[current_data[i] >> 4],
                            kHex[current_data[i] & 15]};
    (void)!write(2, digits, 2);
  }
  (void)!write(2, "\n", 1);
}

void OnDeath(int signal_number) {
  PrintInput();
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

void Run(std::string_view input) {
  // A block of exactly that size, so that a sanitizer sees one byte too far.
  const auto block = std::make_unique<std::uint8_t[]>(input.size());
  if (!input.empty()) std::memcpy(block.get(), input.data(), input.size());
  current_data = block.get();
  current_size = input.size();
  if (LLVMFuzzerTestOneInput(block.get(), input.size()) != 0) {
    Found(__FILE__, __LINE__, "LLVMFuzzerTestOneInput returns 0");
  }
  current_size = 0;
}

// A number below `n`, or 0.
std::size_t Below(Random& random, std::size_t n) {
  return n == 0 ? 0 : static_cast<std::size_t>(random() % n);
}

void MutateOnce(const Corpus& corpus, Random& random, std::string* input) {
  const std::size_t at = Below(random, input->size() + 1);
  const std::size_t some = 1 + Below(random, 8);
  switch (random() % 8) {
    case 0:  // flip a bit
      if (at < input->size()) {
        (*input)[at] = static_cast<char>((*input)[at] ^ (1 << random() % 8));
      }
      break;
    case 1:  // any byte
      input->insert(at, 1, static_cast<char>(random()));
      break;
    case 2:  // take some away
      input->erase(at, some);
      break;
    case 3:  // say some again
      input->insert(at, input->substr(at, some));
      break;
    case 4:  // cut
      input->resize(at);
      break;
    case 5: {  // join with another seed
      const auto& other = corpus.seeds[Below(random, corpus.seeds.size())];
      input->resize(at);
      input->append(other.substr(Below(random, other.size() + 1)));
      break;
    }
    default:  // a token, in or over
      if (!corpus.tokens.empty()) {
        const auto& token = corpus.tokens[Below(random, corpus.tokens.size())];
        input->replace(at, random() % 2 == 0 ? 0 : token.size(), token);
      }
      break;
  }
  if (input->size() > corpus.max_size) input->resize(corpus.max_size);
}

int RunFile(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "cannot read %s\n", path);
    return 1;
  }
  const std::string input((std::istreambuf_iterator<char>(file)),
                          std::istreambuf_iterator<char>());
  Run(input);
  return 0;
}

int Main(int argc, char** argv) {
  unsigned long long runs = 100000;
  unsigned long long seed = 1;
  bool files = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.starts_with("--runs=")) {
      runs = std::strtoull(argv[i] + 7, nullptr, 10);
    } else if (argument.starts_with("--seed=")) {
      seed = std::strtoull(argv[i] + 7, nullptr, 10);
    } else {
      files = true;
      if (RunFile(argv[i]) != 0) return 1;
    }
  }
  if (files) return 0;

  const Corpus corpus = TheCorpus();
  if (corpus.seeds.empty()) Found(__FILE__, __LINE__, "there are seeds");
  for (const std::string_view input : corpus.seeds) Run(input);
  Random random(seed);
  for (unsigned long long i = 0; i < runs; ++i) {
    std::string input(corpus.seeds[Below(random, corpus.seeds.size())]);
    const std::size_t changes = 1 + Below(random, 6);
    for (std::size_t n = 0; n < changes; ++n) {
      MutateOnce(corpus, random, &input);
    }
    Run(input);
  }
  std::printf("%zu seeds, %llu mutations of seed %llu: nothing found\n",
              corpus.seeds.size(), runs, seed);
  return 0;
}

}  // namespace
}  // namespace percore::fuzz

int main(int argc, char** argv) {
  for (int signal_number : {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE}) {
    signal(signal_number, &percore::fuzz::OnDeath);
  }
  return percore::fuzz::Main(argc, argv);
}

// The part of the driver that libFuzzer needs too.
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/driver.h"

namespace percore::fuzz {

void Found(const char* file, int line, const char* what) {
  std::fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
  std::abort();
}

}  // namespace percore::fuzz

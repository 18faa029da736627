// How a measured row is shown: to people, and to bench/report.

#ifndef PERCORE_BENCH_MICRO_PRINT_H_
#define PERCORE_BENCH_MICRO_PRINT_H_

#include <stdio.h>

#include <string>

#include "percore/bench/micro/comparison.h"

namespace percore::bench {

// "aim", "must", "MISSED", "shown" (nothing is demanded) or "FAILED" (a side
// did not run).
std::string Verdict(const RowResult& result);

void PrintHeading(FILE* out);
// One line for the row, one for each peer.
void PrintRow(const RowResult& result, FILE* out);
// One line of JSON.
void PrintJson(const RowResult& result, FILE* out);

}  // namespace percore::bench

#endif  // PERCORE_BENCH_MICRO_PRINT_H_

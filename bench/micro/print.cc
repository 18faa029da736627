#include "percore/bench/micro/print.h"

#include <stdio.h>

#include <string>

namespace percore::bench {
namespace {

std::string Number(double value, int digits) {
  char text[32];
  snprintf(text, sizeof(text), "%.*f", digits, value);
  return text;
}

std::string JsonQuartiles(const Quartiles& q) {
  return "[" + Number(q.low, 3) + "," + Number(q.median, 3) + "," +
         Number(q.high, 3) + "]";
}

const char* JsonBool(bool value) { return value ? "true" : "false"; }

}  // namespace

std::string Verdict(const RowResult& result) {
  if (!result.error.empty()) return "FAILED";
  if (result.row.must == 0) return "shown";
  if (result.aim_met) return "aim";
  return result.must_met ? "must" : "MISSED";
}

void PrintHeading(FILE* out) {
  fprintf(out, "%-44s %10s %10s %7s %15s %6s %6s  %s\n", "row", "libevent ns",
          "percore ns", "ratio", "quartiles", "must", "aim", "verdict");
}

void PrintRow(const RowResult& result, FILE* out) {
  const Row& row = result.row;
  fprintf(out, "%-44s %11.1f %10.1f %7.2f  [%5.2f %6.2f] %6.2f %6.2f  %s%s\n",
          row.name.c_str(), result.theirs_ns, result.ours_ns,
          result.ratio.median, result.ratio.low, result.ratio.high, row.must,
          row.aim, Verdict(result).c_str(),
          result.most_met || !result.error.empty() ? "" : ", too many ns");
  if (!result.error.empty()) fprintf(out, "    %s\n", result.error.c_str());
  for (const LimitResult& peer : result.limits) {
    if (peer.ns == 0) {
      fprintf(out, "    %-40s not measured\n", peer.limit.name.c_str());
      continue;
    }
    fprintf(out, "    %-40s %11.1f %10s %7.2f  [%5.2f %6.2f] %6.2f %6s  %s\n",
            peer.limit.name.c_str(), peer.ns, "", peer.ratio.median,
            peer.ratio.low, peer.ratio.high, peer.limit.at_least, "",
            peer.limit.at_least == 0 ? "shown" : (peer.met ? "met" : "MISSED"));
  }
  fflush(out);
}

void PrintJson(const RowResult& result, FILE* out) {
  const Row& row = result.row;
  fprintf(out,
          "{\"row\":\"%s\",\"libevent_ns\":%.2f,\"percore_ns\":%.2f,"
          "\"ratio\":%s,\"must\":%.3f,\"aim\":%.3f,\"most_ns\":%.1f,"
          "\"most_met\":%s,\"verdict\":\"%s\",\"error\":\"%s\",\"peers\":[",
          row.name.c_str(), result.theirs_ns, result.ours_ns,
          JsonQuartiles(result.ratio).c_str(), row.must, row.aim, row.most_ns,
          JsonBool(result.most_met), Verdict(result).c_str(),
          result.error.c_str());
  const char* separator = "";
  for (const LimitResult& peer : result.limits) {
    fprintf(out,
            "%s{\"name\":\"%s\",\"ns\":%.2f,\"ratio\":%s,\"at_least\":%.3f,"
            "\"met\":%s}",
            separator, peer.limit.name.c_str(), peer.ns,
            JsonQuartiles(peer.ratio).c_str(), peer.limit.at_least,
            JsonBool(peer.met));
    separator = ",";
  }
  fprintf(out, "]}\n");
  fflush(out);
}

}  // namespace percore::bench

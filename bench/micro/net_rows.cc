// Rows of buffers, streams and connections.

#include <string>
#include <vector>

#include "percore/bench/micro/haystack.h"
#include "percore/bench/micro/rows.h"
#include "percore/bench/micro/socket_ends.h"

namespace percore::bench {
namespace {

constexpr int kKiB = 1024;
constexpr int kMiB = 1024 * 1024;

void AddBufferOperations(std::vector<Row>* rows) {
  const char* const small[] = {
      "add 16 B", "add + remove 64 B", "drain 64 B",           "prepend 16 B",
      "move",     "reference",         "reserve + commit 64 B"};
  for (int metric = 0; metric < 7; ++metric) {
    rows->push_back({.name = std::string("evbuffer ") + small[metric],
                     .workload = {"evbuffer_small", 0, 0},
                     .metric = metric,
                     .must = 1.8,
                     .aim = 3.5,
                     .most_ns = metric == 0 ? 7.0 : 0});
  }
  const auto search = [](Needle needle) {
    return Workload{"evbuffer_search", kMiB, static_cast<int>(needle)};
  };
  rows->push_back({.name = "evbuffer search 1 MiB frequent first byte",
                   .workload = search(Needle::kFrequentFirst),
                   .must = 3.5,
                   .aim = 10,
                   .limits = {{"SSE2", Family::kRaw, 0.85, {}}}});
  rows->push_back({.name = "evbuffer search 1 MiB absent first byte",
                   .workload = search(Needle::kAbsentFirst),
                   .must = 0.95,
                   .aim = 1.15,
                   .limits = {{"memchr", Family::kRaw, 0, {}}}});
  rows->push_back({.name = "evbuffer search_eol 1 MiB",
                   .workload = search(Needle::kEol),
                   .must = 0.95,
                   .aim = 1.15,
                   .limits = {{"memchr", Family::kRaw, 0, {}}}});
  rows->push_back({.name = "evbuffer copyout 64 KiB",
                   .workload = {"evbuffer_copyout", 64 * kKiB, 0},
                   .must = 0.95,
                   .aim = 1.15,
                   .limits = {{"memcpy", Family::kRaw, 0, {}}}});
  rows->push_back({.name = "evbuffer add 64 KiB",
                   .workload = {"evbuffer_add", 64 * kKiB, 0},
                   .must = 0.95,
                   .aim = 1.15,
                   .limits = {{"memcpy", Family::kRaw, 0, {}}}});
  rows->push_back({.name = "evbuffer readln 80 B",
                   .workload = {"evbuffer_readln", 80, 0},
                   .must = 1.8,
                   .aim = 2.8});
  rows->push_back({.name = "evbuffer pullup 64 KiB of 16 chains",
                   .workload = {"evbuffer_pullup", 64 * kKiB, 16},
                   .must = 3,
                   .aim = 5});
  rows->push_back({.name = "evbuffer socket 512 B",
                   .workload = {"evbuffer_socket", 512, 0},
                   .must = 1.2,
                   .aim = 1.35,
                   .limits = {{"raw", Family::kRaw, 0.9, {}}}});
  rows->push_back({.name = "evbuffer socket 64 KiB by 4096",
                   .workload = {"evbuffer_socket", 64 * kKiB, 0},
                   .limits = {{"raw", Family::kRaw, 0, {}}}});
  rows->push_back({.name = "evbuffer socket 64 KiB",
                   .workload = {"evbuffer_socket", 64 * kKiB, 1},
                   .must = 2.3,
                   .aim = 2.8,
                   .limits = {{"raw", Family::kRaw, 0.9, {}}}});
}

void AddStreams(std::vector<Row>* rows) {
  const Workload small = {"echo", 64, kPlainEcho};
  for (const int size : {64, 4 * kKiB}) {
    rows->push_back({.name = size == 64 ? "bufferevent echo 64 B"
                                        : "bufferevent echo 4 KiB",
                     .workload = {"echo", size, kPlainEcho},
                     .must = 1.6,
                     .aim = 2,
                     .limits = {{"libuv", Family::kLibuv, 1, {}},
                                {"asio", Family::kAsio, 1, {}},
                                {"raw", Family::kRaw, 0, {}}}});
  }
  rows->push_back({.name = "bufferevent echo 64 KiB",
                   .workload = {"echo", 64 * kKiB, kPlainEcho},
                   .must = 4,
                   .aim = 5.2,
                   .limits = {{"libuv", Family::kLibuv, 0.95, {}},
                              {"asio", Family::kAsio, 0, {}},
                              {"raw", Family::kRaw, 0.85, {}}}});
  rows->push_back({.name = "bufferevent stream 64 KiB one way",
                   .workload = {"one_way", 64 * kKiB, 0},
                   .must = 3.3,
                   .aim = 4.2,
                   .limits = {{"libuv", Family::kLibuv, 0, {}},
                              {"raw", Family::kRaw, 0, {}}}});
  rows->push_back({.name = "bufferevent 32 messages of 64 B in flight",
                   .workload = {"in_flight", 64, 32},
                   .must = 1.8,
                   .aim = 2.5,
                   .limits = {{"libuv", Family::kLibuv, 5, {}},
                              {"asio", Family::kAsio, 1, {}}}});
  rows->push_back(
      {.name = "bufferevent echo 64 B with timeouts",
       .workload = {"echo", 64, kEchoWithTimeouts},
       .must = 1.8,
       .aim = 2.4,
       // At most 5 % over the echo without timeouts.
       .limits = {{"no timeouts", Family::kEvent2, 1 / 1.05, small}}});
  rows->push_back({.name = "bufferevent pair 64 B",
                   .workload = {"pair", 64, 0},
                   .must = 2,
                   .aim = 4});
  rows->push_back({.name = "bufferevent echo 64 B through filters",
                   .workload = {"echo", 64, kEchoThroughFilters},
                   .must = 1.5,
                   .aim = 1.9});
  rows->push_back({.name = "bufferevent new + enable + free",
                   .workload = {"stream_new", 1, 0},
                   .must = 1.5,
                   .aim = 2.5});
}

void AddConnections(std::vector<Row>* rows) {
  rows->push_back({.name = "accept",
                   .workload = {"accept", 1, 0},
                   .must = 0.9,
                   .aim = 1,
                   .limits = {{"raw", Family::kRaw, 0, {}}}});
  // Each holds two descriptors; see kManyPipes.
  const Workload idle = {"idle_streams", 9500, 0};
  rows->push_back({.name = "9500 idle streams heap bytes each",
                   .workload = idle,
                   .metric = 0,
                   .must = 0.9,
                   .aim = 1});
  rows->push_back({.name = "9500 idle streams resident bytes each",
                   .workload = idle,
                   .metric = 1,
                   .must = 0.9,
                   .aim = 1});
  rows->push_back({.name = "9500 idle streams CPU ns of a wait of 50 ms",
                   .workload = idle,
                   .metric = 2});
}

}  // namespace

void AddNetRows(std::vector<Row>* rows) {
  AddBufferOperations(rows);
  AddStreams(rows);
  AddConnections(rows);
}

}  // namespace percore::bench

#include "percore/bench/micro/rows.h"

#include <string>
#include <vector>

#include "percore/bench/micro/producers.h"

namespace percore::bench {
namespace {

// 2 * 9900 descriptors fit under a hard limit of 20000; called 10000 below.
constexpr int kManyPipes = 9900;

void AddChains(std::vector<Row>* rows) {
  for (const int pipes : {100, 1000, kManyPipes}) {
    for (const int active : {1, 100}) {
      const std::string sizes =
          " " + std::to_string(pipes) + "/" + std::to_string(active);
      const Workload plain = {"chain", pipes, active};
      rows->push_back({.name = "chained pipes" + sizes,
                       .workload = plain,
                       .must = 1.00,
                       .aim = 1.08,
                       .limits = {{"libev", Family::kLibev, 1.0, {}},
                                  {"libuv", Family::kLibuv, 1.0, {}},
                                  {"raw epoll", Family::kRaw, 0.95, {}}}});
      rows->push_back(
          {.name = "chained pipes with timeouts" + sizes,
           .workload = {"chain_timeout", pipes, active},
           .must = 1.15,
           .aim = 1.25,
           .limits = {{"libev", Family::kLibev, 0, {}},
                      {"libuv", Family::kLibuv, 0, {}},
                      // At most 5 % over the loop without timeouts.
                      {"no timeouts", Family::kEvent2, 1 / 1.05, plain}}});
    }
  }
}

void AddTimers(std::vector<Row>* rows, bool full) {
  struct Size {
    const char* name;
    int pending;
    double must, aim, libev;
    double expiry_must, expiry_aim;
    int due;
  };
  const Size sizes[] = {
      {"1e4", 10000, 3, 6, 1.0, 2, 5, 10000},
      {"1e5", 100000, 5, 10, 1.2, 3, 8, 100000},
      {"1e6", 1000000, 5, 10, 1.2, 4, 8, full ? 1000000 : 100000},
  };
  const char* const metrics[] = {"add", "re-add", "touch", "del"};
  for (const Size& size : sizes) {
    for (int metric = 0; metric < 4; ++metric) {
      rows->push_back(
          {.name = std::string("timers ") + size.name + " " + metrics[metric],
           .workload = {"timers", size.pending, 0},
           .metric = metric,
           .must = size.must,
           .aim = size.aim,
           .limits = {{"libev", Family::kLibev, size.libev, {}}}});
    }
  }
  for (const Size& size : sizes) {
    rows->push_back({.name = std::string("timers expire ") + size.name +
                             (size.due < size.pending ? " (1e5 due)" : ""),
                     .workload = {"expiry", size.pending, size.due},
                     .must = size.expiry_must,
                     .aim = size.expiry_aim,
                     .limits = {{"libev", Family::kLibev, 0, {}}}});
  }
  const char* const common[] = {"add", "re-add", "del", "expire"};
  for (int metric = 0; metric < 4; ++metric) {
    rows->push_back({.name = std::string("common timeouts ") + common[metric],
                     .workload = {"common", 10000, 0},
                     .metric = metric,
                     .must = 1.0,
                     .aim = 1.5});
  }
}

void AddBursts(int producers, std::vector<Row>* rows) {
  const std::string suffix = " by " + std::to_string(producers);
  const bool one = producers == 1;
  for (const Exchange exchange : {kPhased, kLive}) {
    rows->push_back({.name = std::string("cross-thread burst") +
                             (exchange == kLive ? " live" : "") + suffix,
                     .workload = {"burst", producers, exchange},
                     .must = one ? 1.3 : 1.5,
                     .aim = one ? 2.2 : 3,
                     .limits = {{"bare queue", Family::kRaw, 0.7, {}}}});
  }
}

void AddPosts(int producers, std::vector<Row>* rows) {
  const std::string suffix = " by " + std::to_string(producers);
  for (const Exchange exchange : {kPhased, kLive}) {
    const std::string name =
        std::string("cross-thread post") + (exchange == kLive ? " live" : "");
    const Workload work = {"post", producers, exchange};
    rows->push_back({.name = name + suffix,
                     .workload = work,
                     .must = producers == 1 ? 4 : 3.5,
                     .aim = 8,
                     .limits = {{"libuv", Family::kLibuv, 1.0, {}},
                                {"asio", Family::kAsio, 2.0, {}}}});
    // The 40 ns are for the C++ door; here the C call is shown.
    rows->push_back({.name = name + " sender" + suffix,
                     .workload = work,
                     .metric = 1,
                     .limits = {{"libuv", Family::kLibuv, 0, {}},
                                {"asio", Family::kAsio, 0, {}}}});
  }
}

void AddCrossThread(std::vector<Row>* rows) {
  rows->push_back({.name = "cross-thread active already active",
                   .workload = {"already_active", 1, 0},
                   .must = 5,
                   .aim = 12});
  rows->push_back({.name = "cross-thread active already active (loop held)",
                   .workload = {"already_active", 1, 1},
                   .most_ns = 10});
  for (const int producers : {1, 4}) AddBursts(producers, rows);
  for (const int producers : {1, 4}) AddPosts(producers, rows);
  rows->push_back({.name = "cross-thread ping-pong one core",
                   .workload = {"ping_pong", 1, 0},
                   .must = 1.7,
                   .aim = 2.1,
                   .limits = {{"eventfd+mutex", Family::kRaw, 0.9, {}},
                              {"libuv", Family::kLibuv, 0, {}}}});
  for (const int peers : {1, 64, 256}) {
    Row row = {.name = "idle mailbox with " + std::to_string(peers) + " peers",
               .workload = {"idle_mailbox", peers, 0}};
    if (peers > 1) {
      row.limits = {{"1 peer", Family::kEvent2, 1.0, {"idle_mailbox", 1, 0}}};
    }
    rows->push_back(row);
  }
}

}  // namespace

std::vector<Row> AllRows(bool full) {
  std::vector<Row> rows;
  AddChains(&rows);
  rows.push_back({.name = "event_del + event_add of 100 descriptors",
                  .workload = {"del_add", 100, 0},
                  .must = 20,
                  .aim = 60});
  for (const int sockets : {1, 100}) {
    rows.push_back(
        {.name = "one-shot write of " + std::to_string(sockets) + " sockets",
         .workload = {"write_once", sockets, 0},
         .must = 1.5,
         .aim = 2.0,
         .limits = {{"libev", Family::kLibev, 1.0, {}}}});
  }
  AddTimers(&rows, full);
  rows.push_back({.name = "event_active own loop",
                  .workload = {"active_own", 1000, 0},
                  .must = 1.5,
                  .aim = 2.5,
                  .most_ns = 15});
  rows.push_back({.name = "event_base_once own thread",
                  .workload = {"once_own", 1000, 0},
                  .must = 2,
                  .aim = 3,
                  .most_ns = 45});
  rows.push_back({.name = "signal raise and dispatch",
                  .workload = {"signal", 1, 0},
                  .must = 1.3,
                  .aim = 2});
  rows.push_back({.name = "event_base_new + free",
                  .workload = {"base_new_free", 1, 0},
                  .must = 1.5,
                  .aim = 1.9});
  AddCrossThread(&rows);
  AddNetRows(&rows);
  return rows;
}

}  // namespace percore::bench

#include "percore/bench/micro/worker.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "percore/bench/micro/cores.h"
#include "percore/bench/peers/c_api.h"

namespace percore::bench {
namespace {

// A sample takes tens of milliseconds; setting up 1e6 timers some seconds.
constexpr int kPatienceMs = 60000;
constexpr size_t kMostMetrics = 8;

[[noreturn]] void Serve(int channel, const CaseFactory& factory,
                        const Workload& workload, const LibraryFiles* files) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::string error;
  std::unique_ptr<Case> work = MakeCase(factory, workload, files, &error);
  if (work == nullptr) {
    fprintf(stderr, "worker: %s\n", error.c_str());
    _exit(1);
  }
  char order;
  while (read(channel, &order, 1) == 1) {
    const std::vector<double> figures = work->Run();
    double reply[kMostMetrics + 1] = {static_cast<double>(figures.size())};
    for (size_t i = 0; i < figures.size(); ++i) reply[i + 1] = figures[i];
    if (write(channel, reply, sizeof(reply)) != sizeof(reply)) break;
  }
  // No destructors: their order is the single process's concern (see main.cc).
  _exit(0);
}

}  // namespace

std::unique_ptr<Case> MakeCase(const CaseFactory& factory,
                               const Workload& workload,
                               const LibraryFiles* files, std::string* error) {
  static EventApi api;  // One library in one process.
  if (files != nullptr &&
      !LoadEventApi(files->core, files->pthreads, &api, error)) {
    return nullptr;
  }
  return factory(workload, files == nullptr ? nullptr : &api);
}

Worker::Worker(const CaseFactory& factory, const Workload& workload,
               const LibraryFiles* files, int core) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    error_ = "no socket pair";
    return;
  }
  fflush(nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    close(ends[0]);
    if (core >= 0) PinTo(core);
    Serve(ends[1], factory, workload, files);
  }
  close(ends[1]);
  channel_ = ends[0];
}

Worker::~Worker() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  if (channel_ >= 0) close(channel_);
}

std::vector<double> Worker::Sample() {
  if (!error_.empty()) return {};
  double reply[kMostMetrics + 1];
  if (send(channel_, "r", 1, MSG_NOSIGNAL) != 1 ||
      !Receive(reply, sizeof(reply))) {
    if (error_.empty()) error_ = "the worker died";
    return {};
  }
  return std::vector<double>(reply + 1, reply + 1 + static_cast<int>(reply[0]));
}

bool Worker::Receive(void* data, size_t size) {
  char* to = static_cast<char*>(data);
  while (size > 0) {
    pollfd readable = {channel_, POLLIN, 0};
    if (poll(&readable, 1, kPatienceMs) <= 0) {
      error_ = "no answer from the worker in 60 s";
      return false;
    }
    const ssize_t n = read(channel_, to, size);
    if (n <= 0) return false;
    to += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

}  // namespace percore::bench

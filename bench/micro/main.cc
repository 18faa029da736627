// Compares percore's C door with libevent and its peers, row by row of the
// performance table. bench/README.md says how to read what it prints.

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <map>
#include <string>
#include <vector>

#include "percore/bench/micro/cases.h"
#include "percore/bench/micro/comparison.h"
#include "percore/bench/micro/cores.h"
#include "percore/bench/micro/print.h"
#include "percore/bench/micro/rows.h"

namespace percore::bench {
namespace {

constexpr char kUsage[] = R"(usage: micro [options]
  --ours=DIR      libevent_core-2.1.so.7 and libevent_pthreads-2.1.so.7 of
                  percore are in DIR (needed)
  --theirs=DIR    those of libevent (/usr/lib/x86_64-linux-gnu)
  --rows=A,B      only rows whose name contains A or B
  --pairs=N       interleaved pairs (21)
  --no_peers      only percore and libevent
  --full          whole populations where the short run takes a part
  --json=FILE     also write a line of JSON for each row
  --gate          exit with 1 when a must or a limit is missed
  --list          name the rows and stop
  --single=ours|theirs --samples=N
                  run the one selected row in this process, N samples, and
                  print the operations done: for strace and callgrind
)";

struct Arguments {
  Options options;
  std::string theirs = "/usr/lib/x86_64-linux-gnu";
  std::string ours;
  std::vector<std::string> wanted;
  std::string json;
  std::string single;
  int samples = 1;
  bool full = false;
  bool gate = false;
  bool list = false;
};

bool TakeValue(const char* argument, const char* name, std::string* value) {
  const size_t length = strlen(name);
  if (strncmp(argument, name, length) != 0 || argument[length] != '=') {
    return false;
  }
  *value = argument + length + 1;
  return true;
}

void SplitAtCommas(const std::string& text, std::vector<std::string>* parts) {
  size_t start = 0;
  while (start <= text.size()) {
    const size_t comma = std::min(text.find(',', start), text.size());
    if (comma > start) parts->push_back(text.substr(start, comma - start));
    start = comma + 1;
  }
}

bool Parse(int argc, char** argv, Arguments* arguments) {
  for (int i = 1; i < argc; ++i) {
    const char* argument = argv[i];
    std::string value;
    if (TakeValue(argument, "--ours", &arguments->ours) ||
        TakeValue(argument, "--theirs", &arguments->theirs) ||
        TakeValue(argument, "--json", &arguments->json) ||
        TakeValue(argument, "--single", &arguments->single)) {
      continue;
    }
    if (TakeValue(argument, "--rows", &value)) {
      SplitAtCommas(value, &arguments->wanted);
    } else if (TakeValue(argument, "--pairs", &value)) {
      arguments->options.pairs = atoi(value.c_str());
    } else if (TakeValue(argument, "--samples", &value)) {
      arguments->samples = atoi(value.c_str());
    } else if (strcmp(argument, "--no_peers") == 0) {
      arguments->options.peers = false;
    } else if (strcmp(argument, "--full") == 0) {
      arguments->full = true;
    } else if (strcmp(argument, "--gate") == 0) {
      arguments->gate = true;
    } else if (strcmp(argument, "--list") == 0) {
      arguments->list = true;
    } else {
      fprintf(stderr, "%s: unknown option\n%s", argument, kUsage);
      return false;
    }
  }
  if (arguments->ours.empty() && !arguments->list) {
    fprintf(stderr, "--ours=DIR is needed\n%s", kUsage);
    return false;
  }
  return true;
}

LibraryFiles FilesIn(const std::string& directory) {
  return {directory + "/libevent_core-2.1.so.7",
          directory + "/libevent_pthreads-2.1.so.7"};
}

std::vector<Row> Selected(const Arguments& arguments) {
  std::vector<Row> rows = AllRows(arguments.full);
  std::erase_if(rows, [&](const Row& row) {
    for (const std::string& part : arguments.wanted) {
      if (row.name.find(part) != std::string::npos) return false;
    }
    return !arguments.wanted.empty();
  });
  return rows;
}

// A case that does nothing: to see that a library can be loaded.
class Nothing : public Case {
 public:
  Nothing(const Workload&, const EventApi*) {}
  std::vector<double> Run() override { return {0}; }
  double operations() const override { return 1; }
};

// Loads the library in a worker, which says what is wrong with it.
bool Loads(const LibraryFiles& files) {
  return !Worker(MakerOf<Nothing>(), {}, &files, -1).Sample().empty();
}

int RunSingle(const Arguments& arguments, const Row& row,
              const CaseRegistry& registry) {
  const LibraryFiles& files = arguments.single == "ours"
                                  ? arguments.options.ours
                                  : arguments.options.theirs;
  const CaseFactory* factory =
      registry.Find(row.workload.kind, Family::kEvent2);
  std::string error;
  const std::unique_ptr<Case> work =
      MakeCase(*factory, row.workload, &files, &error);
  if (work == nullptr) {
    fprintf(stderr, "%s\n", error.c_str());
    return 2;
  }
  for (int i = 0; i < arguments.samples; ++i) work->Run();
  printf("operations %.0f\n", work->operations() * arguments.samples);
  return 0;
}

int RunTable(const Arguments& arguments, const std::vector<Row>& rows,
             const CaseRegistry& registry) {
  FILE* json = nullptr;
  if (!arguments.json.empty()) {
    json = fopen(arguments.json.c_str(), "w");
    if (json == nullptr) {
      perror(arguments.json.c_str());
      return 2;
    }
  }
  bool missed = false;
  PrintHeading(stdout);
  for (size_t i = 0; i < rows.size();) {
    std::vector<Row> group;  // Rows of one workload are one measurement.
    while (i < rows.size() &&
           (group.empty() || rows[i].workload == group[0].workload)) {
      group.push_back(rows[i++]);
    }
    for (const RowResult& result :
         Compare(group, registry, arguments.options)) {
      PrintRow(result, stdout);
      if (json != nullptr) PrintJson(result, json);
      missed |= !result.must_met || !result.most_met;
      for (const LimitResult& peer : result.limits) {
        missed |= peer.ns != 0 && !peer.met;
      }
    }
  }
  if (json != nullptr) fclose(json);
  return arguments.gate && missed ? 1 : 0;
}

int Main(int argc, char** argv) {
  Arguments arguments;
  if (!Parse(argc, argv, &arguments)) return 2;
  // bazel run starts programs elsewhere; relative paths are the caller's.
  if (const char* directory = getenv("BUILD_WORKING_DIRECTORY")) {
    if (chdir(directory) != 0) perror(directory);
  }
  arguments.options.ours = FilesIn(arguments.ours);
  arguments.options.theirs = FilesIn(arguments.theirs);
  arguments.options.core = LastCore();
  rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);

  const std::vector<Row> rows = Selected(arguments);
  if (arguments.list) {
    for (const Row& row : rows) printf("%s\n", row.name.c_str());
    return 0;
  }
  const CaseRegistry registry = AllCases();
  if (!arguments.single.empty()) {
    if (rows.empty()) {
      fprintf(stderr, "no such row\n");
      return 2;
    }
    return RunSingle(arguments, rows.front(), registry);
  }
  if (!Loads(arguments.options.theirs) || !Loads(arguments.options.ours)) {
    return 2;
  }
  return RunTable(arguments, rows, registry);
}

}  // namespace
}  // namespace percore::bench

int main(int argc, char** argv) { return percore::bench::Main(argc, argv); }

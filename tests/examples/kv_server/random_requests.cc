#include "percore/tests/examples/kv_server/random_requests.h"

#include <iterator>
#include <utility>

namespace percore::kv {
namespace {

const char* const kNames[] = {"get",     "get",     "gets", "set",  "set",
                              "add",     "replace", "cas",  "cas",  "append",
                              "prepend", "incr",    "incr", "decr", "touch",
                              "delete",  "raw"};

// What clients must not send, with memcached's answers to it.
const std::pair<const char*, const char*> kMalformed[] = {
    {"\r\n", "ERROR\r\n"},
    {"get\r\n", "ERROR\r\n"},
    {"nonsense a b c\r\n", "ERROR\r\n"},
    {"set a 0 0\r\n", "ERROR\r\n"},
    {"set a b 0 1\r\n", "CLIENT_ERROR bad command line format\r\n"},
    {"set a 0 0 -1\r\n", "CLIENT_ERROR bad command line format\r\n"},
    {"set a 0 0 2\r\nabcd\r\n", "CLIENT_ERROR bad data chunk\r\nERROR\r\n"},
    {"set a b 0 1 noreply\r\n", ""},
    {"incr a x\r\n", "CLIENT_ERROR invalid numeric delta argument\r\n"},
    {"touch a x\r\n", "CLIENT_ERROR invalid exptime argument\r\n"},
    {"delete a 5\r\n",
     "CLIENT_ERROR bad command line format.  "
     "Usage: delete <key> [noreply]\r\n"},
    {"flush_all x\r\n", "CLIENT_ERROR invalid exptime argument\r\n"},
    {"verbosity 1\r\n", "OK\r\n"},
    {"stats nonsense\r\n", "ERROR\r\n"},
};

}  // namespace

std::string RandomRequests::Key() {
  std::string key =
      options_.prefix + std::to_string(Below(uint64_t(options_.keys)));
  // Every seventh of the keys is as long as a key may be.
  if (key.back() == '7') key.resize(250, 'x');
  return key;
}

std::string RandomRequests::Value() {
  if (options_.huge_one_in != 0 && Below(uint64_t(options_.huge_one_in)) == 0) {
    return std::string((size_t{1} << 20) - 1 + Below(4), 'h');
  }
  switch (Below(8)) {
    case 0:
      return "";
    case 1:
    case 2:
    case 3:
      return std::to_string(Below(1200));
    case 4:
      return std::to_string(~Below(10));
    case 5:
      return std::string(Below(20000), static_cast<char>('a' + Below(26)));
    case 6:
      // What a parser that loses count would take for commands.
      return "\r\nEND\r\nset a 0 0 1\r\n\n";
    default:
      return std::string(Below(100), static_cast<char>('a' + Below(26)));
  }
}

int64_t RandomRequests::Exptime() {
  const uint64_t kind = Below(10);
  if (kind == 0) return -1;
  if (kind == 1) return 100000;
  if (!options_.virtual_time || kind > 4) return 0;
  return static_cast<int64_t>(Below(5));
}

Request RandomRequests::Next(const ReferenceModel& model) {
  Request request;
  request.name = kNames[Below(std::size(kNames))];
  if (options_.flush_all && Below(200) == 0) {
    request.name = "flush_all";
    if (options_.virtual_time) request.exptime = int64_t(Below(4)) - 1;
    request.noreply = Below(4) == 0;
    return request;
  }
  if (request.name == "raw") {
    const auto& [wire, answer] = kMalformed[Below(std::size(kMalformed))];
    request.value = wire;
    request.answer = answer;
    return request;
  }
  const bool get = request.name == "get" || request.name == "gets";
  uint64_t keys = 1;
  if (get) keys += Below(4) == 0 ? Below(60) : Below(3);
  for (uint64_t i = 0; i < keys; ++i) request.keys.push_back(Key());
  if (get) return request;
  request.noreply = Below(6) == 0;
  request.flags = static_cast<uint32_t>(random_());
  request.exptime = Exptime();
  request.value = Value();
  if (request.name == "cas") {
    request.number = model.SomeUnique(request.keys[0]);
  } else {
    request.number = Below(8) == 0 ? ~Below(50) : Below(300);
  }
  return request;
}

}  // namespace percore::kv

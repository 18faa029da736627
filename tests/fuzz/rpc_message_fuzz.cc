// Any bytes as the messages of sample.rpc: the generated C and the generated
// C++ take the same ones, and what is taken comes back whole.

#include <event2/buffer.h>
#include <event2/event.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tests/fuzz/driver.h"
#include "tests/proto/rpc/sample.gen.h"
#include "tests/proto/rpc/sample.rpc.h"

namespace {

// The bytes after a way through the C structure; false: refused.
template <typename Message>
bool ThroughC(std::string_view in, Message* (*make)(), void (*drop)(Message*),
              int (*unmarshal)(Message*, evbuffer*),
              void (*marshal)(evbuffer*, const Message*), std::string* out) {
  evbuffer* b = evbuffer_new();
  evbuffer_add(b, in.data(), in.size());
  Message* m = make();
  const bool taken = unmarshal(m, b) == 0;
  if (taken) {
    FUZZ_CHECK(evbuffer_get_length(b) == 0);
    marshal(b, m);
    out->resize(evbuffer_get_length(b));
    evbuffer_remove(b, out->data(), out->size());
  }
  drop(m);
  evbuffer_free(b);
  return taken;
}

template <typename Cpp>
void Check(std::string_view in, bool taken_by_c, const std::string& of_c) {
  Cpp message;
  FUZZ_CHECK(message.Unmarshal(in) == taken_by_c);
  if (!taken_by_c) return;
  const std::string bytes = message.Marshal();
  Cpp again;
  FUZZ_CHECK(again.Unmarshal(bytes) && again == message);
  // A string of C ends at its first NUL, so only without any.
  if (bytes.find('\0') == std::string::npos) FUZZ_CHECK(bytes == of_c);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  event_set_log_callback([](int, const char*) {});
  const std::string_view in(reinterpret_cast<const char*>(data), size);
  std::string out;
  bool taken = ThroughC(in, sample_new, sample_free, sample_unmarshal,
                        sample_marshal, &out);
  Check<sample_cpp::sample>(in, taken, out);
  taken = ThroughC(in, tree_new, tree_free, tree_unmarshal, tree_marshal, &out);
  Check<sample_cpp::tree>(in, taken, out);
  taken =
      ThroughC(in, place_new, place_free, place_unmarshal, place_marshal, &out);
  Check<sample_cpp::place>(in, taken, out);
  return 0;
}

percore::fuzz::Corpus percore::fuzz::TheCorpus() {
  static std::string full = [] {
    sample_cpp::sample s;
    s.text = "text";
    s.number = 7;
    s.large = 8;
    s.fixed = {'a', 'b', 'c', 'd'};
    s.raw = "raw";
    s.where = {"here", 300};
    s.maybe_where = {"there", std::nullopt};
    s.numbers = {1, 2};
    s.places = {{"p", 1}};
    return s.Marshal();
  }();
  static std::string tree =
      sample_cpp::tree{7, {{1, {}}, {2, {{3, {}}}}}}.Marshal();
  return {
      .seeds = {full, tree, "\x01\x04name\xac\x02\x01\x05"},
      .tokens = {"\x01\x01\x07", "\x02\x03\x01\x01\x07", "\xc8\x01\x01\x01",
                 "\x06\x06\x01\x04here", "\x80", "\xff"},
      .max_size = 300,
  };
}

// A filter that compresses: the worked example of a filter with state.

#include <event2/bufferevent.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <memory>
#include <string>

#include "percore/tests/compat/sockets.h"
#include "percore/tests/compat/stream.h"

namespace compat {
namespace {

// The state of one filter bufferevent.
struct Codec {
  Codec() {
    EXPECT_EQ(deflateInit(&out, Z_DEFAULT_COMPRESSION), Z_OK);
    EXPECT_EQ(inflateInit(&in), Z_OK);
  }
  ~Codec() {
    deflateEnd(&out);
    inflateEnd(&in);
    ++freed;
  }
  z_stream out = {}, in = {};
  static inline int freed = 0;
};

int FlushOf(bufferevent_flush_mode mode) {
  if (mode == BEV_FINISHED) return Z_FINISH;
  return mode == BEV_FLUSH ? Z_SYNC_FLUSH : Z_NO_FLUSH;
}

// Runs `step` over the bytes of `src`, block after block, into `dst`.
template <typename Step>
bufferevent_filter_result Run(evbuffer* src, evbuffer* dst, z_stream* z,
                              bufferevent_flush_mode mode, Step step) {
  const size_t before = evbuffer_get_length(dst);
  std::string bytes(evbuffer_get_length(src), '\0');
  evbuffer_remove(src, bytes.data(), bytes.size());
  z->next_in = reinterpret_cast<Bytef*>(bytes.data());
  z->avail_in = static_cast<uInt>(bytes.size());
  int result;
  do {
    Bytef block[4096];
    z->next_out = block;
    z->avail_out = sizeof(block);
    result = step(z, FlushOf(mode));
    if (result < 0 && result != Z_BUF_ERROR) return BEV_ERROR;
    evbuffer_add(dst, block, sizeof(block) - z->avail_out);
  } while (z->avail_out == 0 || (mode == BEV_FINISHED && result == Z_OK));
  return evbuffer_get_length(dst) > before ? BEV_OK : BEV_NEED_MORE;
}

bufferevent_filter_result Compress(evbuffer* src, evbuffer* dst, ev_ssize_t,
                                   bufferevent_flush_mode mode, void* arg) {
  return Run(src, dst, &static_cast<Codec*>(arg)->out, mode, deflate);
}
bufferevent_filter_result Expand(evbuffer* src, evbuffer* dst, ev_ssize_t,
                                 bufferevent_flush_mode, void* arg) {
  return Run(src, dst, &static_cast<Codec*>(arg)->in, BEV_NORMAL, inflate);
}
void FreeCodec(void* arg) { delete static_cast<Codec*>(arg); }

// bufferevent/bufferevent_zlib
class FilterZlibTest : public StreamTest {
 protected:
  void SetUp() override {
    StreamTest::SetUp();
    if (IsSkipped()) return;
    Codec::freed = 0;
    for (int i = 0; i < 2; ++i) {
      under_[i] = NewSocket(pair_[i]);
      ends_[i] = std::make_unique<Stream>(
          bufferevent_filter_new(under_[i], Expand, Compress,
                                 options() | BEV_OPT_CLOSE_ON_FREE, FreeCodec,
                                 new Codec),
          &journal_, i == 0 ? "a" : "b");
      ends_[i]->Enable(EV_READ);
      ends_[i]->OnRead([this, i] { got_[i] += ends_[i]->Take(); });
    }
  }
  void TearDown() override {
    if (IsSkipped()) return;
    for (auto& end : ends_) end.reset();
    Settle();
    EXPECT_EQ(Codec::freed, 2);
  }

  static std::string Text(int lines) {
    std::string text;
    for (int i = 0; i < lines; ++i) {
      text += "line " + std::to_string(i * 7919) + " of the text\n";
    }
    return text;
  }

  SocketPair pair_;
  bufferevent* under_[2];
  std::unique_ptr<Stream> ends_[2];
  std::string got_[2];
};
COMPAT_ON_EVERY_STREAM_MODE(FilterZlibTest);

// semantics 12.1, 12.3
TEST_P(FilterZlibTest, FinishedAtTheEnd) {
  const std::string text = Text(2000);
  for (size_t i = 0; i < text.size(); i += 1000) {
    ends_[0]->Put(text.substr(i, 1000));
  }
  bufferevent_flush(*ends_[0], EV_WRITE, BEV_FINISHED);
  ASSERT_TRUE(RunUntil([&] { return got_[1].size() == text.size(); }));
  EXPECT_TRUE(got_[1] == text);
}

// Small messages stay in the compressor until a flush.
TEST_P(FilterZlibTest, FlushBringsOutEachMessage) {
  ends_[0]->Put("hello");
  Settle();
  EXPECT_EQ(got_[1], "");
  bufferevent_flush(*ends_[0], EV_WRITE, BEV_FLUSH);
  ASSERT_TRUE(RunUntil([&] { return got_[1] == "hello"; }));
  ends_[0]->Put(", world");
  bufferevent_flush(*ends_[0], EV_WRITE, BEV_FLUSH);
  ASSERT_TRUE(RunUntil([&] { return got_[1] == "hello, world"; }));
}

TEST_P(FilterZlibTest, BothWays) {
  const std::string text = Text(1000);
  ends_[0]->Put(text);
  ends_[1]->Put(text + "and back");
  bufferevent_flush(*ends_[0], EV_WRITE, BEV_FINISHED);
  bufferevent_flush(*ends_[1], EV_WRITE, BEV_FINISHED);
  ASSERT_TRUE(RunUntil([&] {
    return got_[0].size() == text.size() + 8 && got_[1].size() == text.size();
  }));
  EXPECT_TRUE(got_[0] == text + "and back");
  EXPECT_TRUE(got_[1] == text);
}

// What is not compressed data is the filter's error: no data and no event.
TEST_P(FilterZlibTest, Garbage) {
  ends_[0]->Free();
  pair_.Send(0, "this is no zlib stream at all");
  Settle();
  EXPECT_EQ(got_[1], "");
  EXPECT_EQ(ends_[1]->events(), 0);
}

// An end that closes after FINISHED: all data, then the EOF.
TEST_P(FilterZlibTest, EofAfterTheLastData) {
  const std::string text = Text(300);
  ends_[0]->Put(text);
  bufferevent_flush(*ends_[0], EV_WRITE, BEV_FINISHED);
  ASSERT_TRUE(RunUntil([&] {
    return evbuffer_get_length(bufferevent_get_output(under_[0])) == 0;
  }));
  shutdown(pair_[0], SHUT_WR);
  ASSERT_TRUE(RunUntil([&] { return ends_[1]->events() == 1; }));
  EXPECT_EQ(ends_[1]->last_event(), BEV_EVENT_EOF | BEV_EVENT_READING);
  EXPECT_TRUE(got_[1] == text);
}

}  // namespace
}  // namespace compat

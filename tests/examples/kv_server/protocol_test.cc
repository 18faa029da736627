// The texts here are what Debian's memcached 1.6.18 answered to the same
// bytes, but for the cases that say otherwise.

#include "percore/examples/kv_server/protocol.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "percore/tests/examples/kv_server/local_session.h"

namespace percore::kv {
namespace {

constexpr char kBadFormat[] = "CLIENT_ERROR bad command line format\r\n";
constexpr char kTooLarge[] = "SERVER_ERROR object too large for cache\r\n";

// What a new client of an empty store is answered.
std::string Answers(std::string_view bytes) {
  ManualClock clock;
  Store store({}, clock);
  return LocalSession(store).Feed(bytes);
}

TEST(Protocol, UnknownOrIncompleteCommands) {
  for (const char* line : {"",
                           " ",
                           "foo",
                           "get",
                           "get ",
                           "GET a",
                           "gets",
                           "set",
                           "set a",
                           "set a 0 0",
                           "cas",
                           "incr",
                           "incr a",
                           "touch",
                           "touch a",
                           "delete",
                           "flush_all 1 2 3",
                           "verbosity",
                           "verbosity 1 2 3",
                           "stats noreply",
                           "stats foo",
                           "cache_memlimit",
                           "cache_memlimit x",
                           "quitx",
                           "\tget a",
                           "get\ta",
                           "version\r",
                           "foo noreply",
                           "mget a",
                           "touch a 1 2 3",
                           "incr n 1 2 3",
                           "delete a 0 noreply x",
                           "set a 0 noreply"}) {
    EXPECT_EQ(Answers(std::string(line) + "\r\n"), "ERROR\r\n") << line;
  }
}

TEST(Protocol, StorageLines) {
  EXPECT_EQ(Answers("set a 5 0 3\r\nabc\r\nget a\r\n"),
            "STORED\r\nVALUE a 5 3\r\nabc\r\nEND\r\n");
  EXPECT_EQ(Answers("set a 5 0 0\r\n\r\nget a\r\n"),
            "STORED\r\nVALUE a 5 0\r\n\r\nEND\r\n");
  EXPECT_EQ(Answers("  set   a  0  0  1 \r\n1\r\n"), "STORED\r\n");
  EXPECT_EQ(Answers("set a 0 0 1 whatever\r\n1\r\n"), "STORED\r\n");
  EXPECT_EQ(Answers("set a 4294967295 0 1\r\n1\r\nget a\r\n"),
            "STORED\r\nVALUE a 4294967295 1\r\n1\r\nEND\r\n");
  EXPECT_EQ(Answers("set a +1 +0 +1\r\n1\r\n"), "STORED\r\n");
  EXPECT_EQ(Answers("set a 01 00 01\r\n1\r\n"), "STORED\r\n");
  // A line feed alone ends a line, but not a value.
  EXPECT_EQ(Answers("set a 0 0 1\n1\r\nget a\n"),
            "STORED\r\nVALUE a 0 1\r\n1\r\nEND\r\n");
  EXPECT_EQ(Answers("set a 0 0 1\n1\nget a\n"),
            "CLIENT_ERROR bad data chunk\r\nERROR\r\n");
  EXPECT_EQ(Answers("set a 0 0 1 noreply\r\n1\r\nget a\r\n"),
            "VALUE a 0 1\r\n1\r\nEND\r\n");
}

TEST(Protocol, RefusedStorageLineDoesNotTakeItsData) {
  for (const char* line :
       {"set a x 0 1", "set a 0 x 1", "set a 0 0 x", "set a 0 0 -1",
        "set a -1 0 1", "set a 1a 0 1", "set a 0x1 0 1", "cas a 0 0 1 x",
        "cas a 0 0 1 -1", "cas a 0 0 1 18446744073709551616",
        "set a 0 0 2147483646", "set a 0 99999999999999999999 1",
        // memcached cuts these two to 32 bits.
        "set a 4294967296 0 1", "set a 0 0 4294967296"}) {
    EXPECT_EQ(Answers(std::string(line) + "\r\n1\r\n"),
              std::string(kBadFormat) + "ERROR\r\n")
        << line;
  }
  EXPECT_EQ(Answers("set a 0 0 1 2 3\r\n1\r\n"), "ERROR\r\nERROR\r\n");
  EXPECT_EQ(Answers("cas a 0 0 1\r\n1\r\n"), "ERROR\r\nERROR\r\n");
  EXPECT_EQ(Answers("set a b 0 1 noreply\r\n1\r\n"), "ERROR\r\n");
  EXPECT_EQ(Answers("set a 0 0 1 noreply x\r\n1\r\nget a\r\n"),
            "ERROR\r\nERROR\r\nEND\r\n");
}

TEST(Protocol, BadDataChunk) {
  EXPECT_EQ(Answers("set a 0 0 1\r\n123\r\nget a\r\n"),
            "CLIENT_ERROR bad data chunk\r\nERROR\r\nEND\r\n");
  EXPECT_EQ(Answers("set a 0 0 3\r\n1\r\nget a\r\n"),
            "CLIENT_ERROR bad data chunk\r\nERROR\r\n");
  EXPECT_EQ(Answers("add a 0 0 1 noreply\r\n12345\r\n"), "ERROR\r\n");
}

TEST(Protocol, KeysAndTheirLimit) {
  const std::string longest(250, 'k');
  const std::string longer(251, 'k');
  EXPECT_EQ(
      Answers("set " + longest + " 0 0 1\r\n1\r\nget " + longest + "\r\n"),
      "STORED\r\nVALUE " + longest + " 0 1\r\n1\r\nEND\r\n");
  for (const std::string& line :
       {"set " + longer + " 0 0 1", "cas " + longer + " 0 0 1 1"}) {
    EXPECT_EQ(Answers(line + "\r\n1\r\n"),
              std::string(kBadFormat) + "ERROR\r\n");
  }
  for (const std::string& line :
       {"get " + longer, "get a " + longer + " b", "gets " + longer,
        "incr " + longer + " 1", "decr " + longer + " 1",
        "touch " + longer + " 1", "delete " + longer}) {
    EXPECT_EQ(Answers(line + "\r\n"), kBadFormat);
  }
  EXPECT_EQ(Answers("set a 0 0 1\r\n1\r\nget a " + longer + "\r\n"),
            std::string("STORED\r\n") + kBadFormat);
  EXPECT_EQ(Answers("set k\x02 0 0 1\r\n1\r\n"), "STORED\r\n");
}

TEST(Protocol, Arithmetic) {
  EXPECT_EQ(Answers("set n 0 0 1\r\n5\r\nincr n x\r\nincr n -1\r\nincr n +-1"
                    "\r\nincr n +1\r\ndecr n 2 noreply\r\nget n\r\n"
                    "incr n 18446744073709551616\r\nincr n 1 foo\r\n"),
            "STORED\r\n"
            "CLIENT_ERROR invalid numeric delta argument\r\n"
            "CLIENT_ERROR invalid numeric delta argument\r\n"
            "CLIENT_ERROR invalid numeric delta argument\r\n"
            "6\r\nVALUE n 0 1\r\n4\r\nEND\r\n"
            "CLIENT_ERROR invalid numeric delta argument\r\n5\r\n");
  EXPECT_EQ(Answers("incr a 1\r\ndecr a x noreply\r\n"), "NOT_FOUND\r\n");
  EXPECT_EQ(Answers("set n 0 0 3\r\nabc\r\nincr n 1\r\n"),
            "STORED\r\n"
            "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n");
}

TEST(Protocol, TouchAndDelete) {
  EXPECT_EQ(Answers("touch a 0\r\ntouch a x\r\ntouch a x noreply\r\n"),
            "NOT_FOUND\r\nCLIENT_ERROR invalid exptime argument\r\n");
  EXPECT_EQ(Answers("set a 0 0 1\r\n1\r\ntouch a 5\r\ntouch a -1\r\nget a\r\n"),
            "STORED\r\nTOUCHED\r\nTOUCHED\r\nEND\r\n");
  EXPECT_EQ(Answers("delete a\r\ndelete a 0\r\ndelete noreply\r\n"),
            "NOT_FOUND\r\nNOT_FOUND\r\nNOT_FOUND\r\n");
  EXPECT_EQ(Answers("delete a noreply\r\ndelete a 0 noreply\r\n"
                    "delete a 5 noreply\r\n"),
            "");
  for (const char* line : {"delete a 1", "delete a x", "delete a x y"}) {
    EXPECT_EQ(Answers(std::string(line) + "\r\n"),
              "CLIENT_ERROR bad command line format.  "
              "Usage: delete <key> [noreply]\r\n");
  }
}

TEST(Protocol, CommandsOfTheServer) {
  EXPECT_EQ(Answers("flush_all\r\nflush_all 0\r\nflush_all 0 x\r\n"
                    "flush_all -1\r\n"),
            "OK\r\nOK\r\nOK\r\nOK\r\n");
  EXPECT_EQ(Answers("flush_all noreply\r\nflush_all 9 noreply\r\n"
                    "flush_all x noreply\r\n"),
            "");
  for (const char* line : {"flush_all x", "flush_all noreply x"}) {
    EXPECT_EQ(Answers(std::string(line) + "\r\n"),
              "CLIENT_ERROR invalid exptime argument\r\n");
  }
  EXPECT_EQ(Answers("verbosity 0\r\nverbosity 1 2\r\nverbosity noreply\r\n"
                    "verbosity 1 noreply\r\nverbosity x\r\n"),
            std::string("OK\r\nOK\r\n") + kBadFormat);
  EXPECT_EQ(Answers("version x\r\n"), "VERSION 1.6.0-percore\r\n");
  ManualClock clock;
  Store store({}, clock);
  LocalSession session(store);
  EXPECT_EQ(session.Feed("quit x\r\nget a\r\n"), "");
  EXPECT_TRUE(session.closed());
}

TEST(Protocol, ValueOfOneMebibyteIsTakenOneByteMoreIsNot) {
  const std::string largest(kMaxValueSize, 'v');
  EXPECT_EQ(Answers("set a 0 0 1048576\r\n" + largest + "\r\nget a\r\n"),
            "STORED\r\nVALUE a 0 1048576\r\n" + largest + "\r\nEND\r\n");
  const std::string too_large = " 0 0 1048577\r\n" + largest + "x\r\nget a\r\n";
  // The old value goes with a set that fails, and only with a set.
  EXPECT_EQ(Answers("set a 0 0 1\r\n1\r\nset a" + too_large),
            std::string("STORED\r\n") + kTooLarge + "END\r\n");
  for (const char* name : {"add a", "replace a", "append a", "prepend a"}) {
    EXPECT_EQ(
        Answers("set a 0 0 1\r\n1\r\n" + (name + too_large)),
        std::string("STORED\r\n") + kTooLarge + "VALUE a 0 1\r\n1\r\nEND\r\n");
  }
  EXPECT_EQ(
      Answers("set a 0 0 1048577 noreply\r\n" + largest + "x\r\nget a\r\n"),
      "END\r\n");
}

TEST(Protocol, HugeValueIsSwallowedWithoutBeingKept) {
  Parser parser(kMaxValueSize);
  Command command;
  size_t consumed = 0;
  const std::string_view line = "set a 0 0 2000000000\r\n";
  ASSERT_EQ(parser.Next(line, &consumed, &command), Parser::Status::kCommand);
  EXPECT_EQ(command.verb, Verb::kTooLarge);
  EXPECT_EQ(consumed, line.size());
  const std::string piece(1 << 20, 'x');
  for (uint64_t left = 2000000002; left > 0;) {
    const size_t size = std::min<uint64_t>(left, piece.size());
    ASSERT_EQ(parser.Next(std::string_view(piece).substr(0, size), &consumed,
                          &command),
              Parser::Status::kNeedMore);
    ASSERT_EQ(consumed, size);
    left -= size;
  }
  ASSERT_EQ(parser.Next("version\r\n", &consumed, &command),
            Parser::Status::kCommand);
  EXPECT_EQ(command.verb, Verb::kVersion);
}

// Not memcached's: it closes the connection.
TEST(Protocol, LineTooLongIsAnsweredAndSkipped) {
  const std::string text = "CLIENT_ERROR line too long\r\n";
  const std::string version = "VERSION 1.6.0-percore\r\n";
  EXPECT_EQ(Answers(std::string(2048, 'x') + "\nversion\r\n"),
            "ERROR\r\n" + version);
  EXPECT_EQ(Answers(std::string(2049, 'x') + "\nversion\r\n"), text + version);
  EXPECT_EQ(Answers(std::string(5000000, 'x') + "\nversion\r\n"),
            text + version);
  EXPECT_EQ(Answers(std::string(3000, ' ') + "get a\nversion\r\n"),
            text + version);
  std::string get = "get";
  while (get.size() + 8 <= kMaxGetLine) get += " abcdefg";
  EXPECT_EQ(Answers(get + "\nversion\r\n"), "END\r\n" + version);
  EXPECT_EQ(Answers(get + " abcdefg\nversion\r\n"), text + version);
}

TEST(Protocol, BinaryClientIsToldAndClosed) {
  ManualClock clock;
  Store store({}, clock);
  LocalSession session(store);
  EXPECT_EQ(session.Feed(std::string_view("\x80\0\0\1", 4)),
            "CLIENT_ERROR binary protocol not supported\r\n");
  EXPECT_TRUE(session.closed());
}

TEST(Protocol, MultiGetOfManyKeys) {
  std::string sets, get = "get", values;
  for (int i = 0; i < 5000; ++i) {
    const std::string key = "key" + std::to_string(i);
    get += " " + key;
    if (i % 2 != 0) continue;
    sets += "set " + key + " 0 0 1 noreply\r\n1\r\n";
    values += "VALUE " + key + " 0 1\r\n1\r\n";
  }
  EXPECT_EQ(Answers(sets + get + "\r\n"), values + "END\r\n");
}

TEST(Protocol, WantedSaysHowMuchIsMissing) {
  Parser parser(kMaxValueSize);
  Command command;
  size_t consumed = 0;
  const std::string line = "set a 0 0 100\r\n";
  ASSERT_EQ(parser.Next(line, &consumed, &command), Parser::Status::kNeedMore);
  EXPECT_EQ(consumed, 0u);
  EXPECT_EQ(parser.wanted(), line.size() + 102);
}

// Any cut of the input gives the same answers.
TEST(Protocol, ByteByByte) {
  const std::string bytes =
      "set a 1 0 3\r\nabc\r\nget a b\r\nset b 0 0 2\r\nxyz\r\n\r\n"
      "add c 0 0 9 noreply\r\n\r\nget a\r\n\r\ngets c\r\n" +
      std::string(2100, 'l') + "\r\nset big 0 0 1048580\r\n" +
      std::string(1048580, 'b') + "\r\nincr a 1\r\ndelete a\r\nversion\r\n";
  const std::string whole = Answers(bytes);
  ManualClock clock;
  Store store({}, clock);
  LocalSession session(store);
  std::string pieces;
  for (const char& c : bytes) pieces += session.Feed({&c, 1});
  EXPECT_EQ(pieces, whole);
  EXPECT_TRUE(pieces.ends_with("VERSION 1.6.0-percore\r\n"));
}

}  // namespace
}  // namespace percore::kv

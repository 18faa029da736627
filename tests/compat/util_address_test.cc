// Addresses as text, through evutil.

#include <arpa/inet.h>
#include <event2/util.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstring>
#include <random>
#include <string>
#include <string_view>

#include "gtest/gtest.h"

namespace {

std::string Ntop(int af, const void* bytes) {
  char text[INET6_ADDRSTRLEN];
  const char* result = evutil_inet_ntop(af, bytes, text, sizeof(text));
  EXPECT_EQ(result, text);
  return result ? result : "";
}

// Through the system's reader, which takes every form.
std::string Rewrite(const char* v6) {
  in6_addr address;
  EXPECT_EQ(inet_pton(AF_INET6, v6, &address), 1) << v6;
  return Ntop(AF_INET6, &address);
}

// semantics 15.3
// api evutil_inet_ntop
TEST(UtilAddress, WritesV6CompressedAtTheFirstLongestRun) {
  EXPECT_EQ(Rewrite("0:0:0:0:0:0:0:0"), "::");
  EXPECT_EQ(Rewrite("0:0:0:0:0:0:0:1"), "::1");
  EXPECT_EQ(Rewrite("1:0:0:0:0:0:0:0"), "1::");
  EXPECT_EQ(Rewrite("1:0:0:2:0:0:0:3"), "1:0:0:2::3");
  EXPECT_EQ(Rewrite("1:0:0:2:3:0:0:4"), "1::2:3:0:0:4");
  EXPECT_EQ(Rewrite("1:0:2:3:4:5:6:7"), "1:0:2:3:4:5:6:7");
  EXPECT_EQ(Rewrite("1:2:3:4:5:6:0:0"), "1:2:3:4:5:6::");
  EXPECT_EQ(Rewrite("2001:DB8:0:0:8:800:200C:417A"),
            "2001:db8::8:800:200c:417a");
  EXPECT_EQ(Rewrite("::ffff:1.2.3.4"), "::ffff:1.2.3.4");
  EXPECT_EQ(Rewrite("::1.2.3.4"), "::1.2.3.4");
  EXPECT_EQ(Rewrite("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"),
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

// api evutil_inet_ntop
TEST(UtilAddress, WritesV4) {
  const in_addr address{htonl(0x01020304)};
  EXPECT_EQ(Ntop(AF_INET, &address), "1.2.3.4");
  const in_addr all{0xffffffff};
  EXPECT_EQ(Ntop(AF_INET, &all), "255.255.255.255");
}

// api evutil_inet_ntop
TEST(UtilAddress, NtopNeedsRoomAndAKnownFamily) {
  const in_addr v4{htonl(0x01020304)};
  char text[INET6_ADDRSTRLEN];
  EXPECT_EQ(evutil_inet_ntop(AF_INET, &v4, text, 0), nullptr);
  EXPECT_EQ(evutil_inet_ntop(AF_INET, &v4, text, 7), nullptr);
  EXPECT_STREQ(evutil_inet_ntop(AF_INET, &v4, text, 8), "1.2.3.4");
  EXPECT_EQ(evutil_inet_ntop(AF_INET6, &in6addr_loopback, text, 2), nullptr);
#ifndef TESTING_DEBIAN_LIBEVENT  // 2.1.12 writes a NUL too far
  EXPECT_EQ(evutil_inet_ntop(AF_INET6, &in6addr_loopback, text, 3), nullptr);
#endif
  EXPECT_STREQ(evutil_inet_ntop(AF_INET6, &in6addr_loopback, text, 4), "::1");
  EXPECT_EQ(evutil_inet_ntop(AF_UNIX, &v4, text, sizeof(text)), nullptr);
}

// api evutil_inet_pton
TEST(UtilAddress, ReadsBackWhatItWrites) {
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    unsigned char bytes[16];
    for (unsigned char& byte : bytes) {
      byte = random() % 3 == 0 ? static_cast<unsigned char>(random()) : 0;
    }
    unsigned char again[16];
    const std::string v6 = Ntop(AF_INET6, bytes);
    ASSERT_EQ(evutil_inet_pton(AF_INET6, v6.c_str(), again), 1) << v6;
    ASSERT_EQ(std::memcmp(bytes, again, 16), 0) << v6;
    in6_addr system;
    ASSERT_EQ(inet_pton(AF_INET6, v6.c_str(), &system), 1) << v6;
    ASSERT_EQ(std::memcmp(&system, bytes, 16), 0) << v6;
    const std::string v4 = Ntop(AF_INET, bytes);
    ASSERT_EQ(evutil_inet_pton(AF_INET, v4.c_str(), again), 1) << v4;
    ASSERT_EQ(std::memcmp(bytes, again, 4), 0) << v4;
  }
}

// api evutil_inet_pton
TEST(UtilAddress, PtonTakesWhatIsAnAddress) {
  unsigned char bytes[16];
  for (const char* text :
       {"0.0.0.0", "1.2.3.4", "255.255.255.255", "01.02.03.004"}) {
    EXPECT_EQ(evutil_inet_pton(AF_INET, text, bytes), 1) << text;
  }
  EXPECT_EQ(bytes[3], 4) << "a leading zero is not octal";
  for (const char* text :
       {"::", "::1", "1::", "1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "::1.2.3.4", "::ffff:1.2.3.4",
        "1:2:3:4:5:6:1.2.3.4", "ABCD::ef01", "1:2::7:8"}) {
    EXPECT_EQ(evutil_inet_pton(AF_INET6, text, bytes), 1) << text;
    in6_addr system;
    ASSERT_EQ(inet_pton(AF_INET6, text, &system), 1) << text;
    EXPECT_EQ(std::memcmp(&system, bytes, 16), 0) << text;
  }
}

// api evutil_inet_pton
TEST(UtilAddress, PtonRefusesWhatIsNone) {
  unsigned char bytes[16];
  for (const char* text :
       {"", "1", "1.2.3", "1.2.3.", "1.2.3.4.5", "1.2.3.4 ", "256.1.1.1",
        "1.2.3.256", "-1.2.3.4", "1..2.3", ".1.2.3.4", "0x1.2.3.4", "a.b.c.d",
        "1.2.3.4x", "::1"}) {
    EXPECT_EQ(evutil_inet_pton(AF_INET, text, bytes), 0) << text;
  }
  for (const char* text : {"",
                           ":",
                           ":::",
                           ":1",
                           "1:",
                           "1:2:3:4:5:6:7",
                           "1:2:3:4:5:6:7:8:9",
                           "1::3::4",
                           "12345::",
                           "::g",
                           "::00001",
                           "1.2.3.4",
                           "1.2.3.4::",
                           "::1.2.3.4:5",
                           "::1.2.3",
                           "::256.1.1.1",
                           "1:2:3:4:5:6:7:1.2.3.4",
                           "::1:2:3:4:5:6:7:8",
                           "1::2:3:4:5:6:7:8",
                           "::1%lo",
                           "[::1]",
                           " ::1",
                           "::1 "}) {
    EXPECT_EQ(evutil_inet_pton(AF_INET6, text, bytes), 0) << text;
  }
  EXPECT_EQ(evutil_inet_pton(AF_UNIX, "/tmp/x", bytes), -1);
}

#ifndef TESTING_DEBIAN_LIBEVENT
// Better than 2.1.12, which takes these.
TEST(UtilAddress, PtonIsStrict) {
  unsigned char bytes[16];
  for (const char* text :
       {" 1.2.3.4", "+1.2.3.4", "1. 2.3.4", "0001.2.3.4", "4294967297.2.3.4"}) {
    EXPECT_EQ(evutil_inet_pton(AF_INET, text, bytes), 0) << text;
  }
  EXPECT_EQ(evutil_inet_pton(AF_INET6, "1:2:3:4:5:6:7:8:", bytes), 0);
}
#endif

// api evutil_inet_pton_scope
TEST(UtilAddress, PtonWithZone) {
  const unsigned loopback = if_nametoindex("lo");
  ASSERT_NE(loopback, 0u);
  in6_addr address;
  unsigned index = 77;
  EXPECT_EQ(evutil_inet_pton_scope(AF_INET6, "fe80::1", &address, &index), 1);
  EXPECT_EQ(index, 0u);
  EXPECT_EQ(evutil_inet_pton_scope(AF_INET6, "fe80::1%lo", &address, &index),
            1);
  EXPECT_EQ(index, loopback);
  EXPECT_EQ(address.s6_addr[0], 0xfe);
  EXPECT_EQ(address.s6_addr[15], 1);
  EXPECT_EQ(evutil_inet_pton_scope(AF_INET6, "fe80::1%99999", &address, &index),
            1);
  EXPECT_EQ(index, 99999u);
  for (const char* text :
       {"fe80::1%nosuchif", "fe80::1%1x", "fe80::1%lo%lo", "%lo", "1.2.3.4%lo",
        "fe80::1%a-very-long-name-of-x"}) {
    EXPECT_EQ(evutil_inet_pton_scope(AF_INET6, text, &address, &index), 0)
        << text;
  }
  EXPECT_EQ(evutil_inet_pton_scope(AF_INET, "1.2.3.4", &address, &index), 1);
  EXPECT_EQ(index, 0u);
  EXPECT_EQ(evutil_inet_pton_scope(AF_INET, "1.2.3.4%lo", &address, &index), 0);
  EXPECT_EQ(evutil_inet_pton_scope(AF_UNIX, "x", &address, &index), -1);
}

struct Parsed {
  int result;
  int length;
  sockaddr_storage storage;

  const sockaddr_in& v4() const {
    return reinterpret_cast<const sockaddr_in&>(storage);
  }
  const sockaddr_in6& v6() const {
    return reinterpret_cast<const sockaddr_in6&>(storage);
  }
};

Parsed Parse(const std::string& text, int room = sizeof(sockaddr_storage)) {
  Parsed parsed;
  std::memset(&parsed.storage, 0x55, sizeof(parsed.storage));
  parsed.length = room;
  parsed.result = evutil_parse_sockaddr_port(
      text.c_str(), reinterpret_cast<sockaddr*>(&parsed.storage),
      &parsed.length);
  return parsed;
}

// semantics 15.1
// api evutil_parse_sockaddr_port
TEST(UtilAddress, ParsesV4AndPort) {
  for (const auto& [text, port] : {std::pair{"1.2.3.4", 0},
                                   {"1.2.3.4:80", 80},
                                   {"1.2.3.4:1", 1},
                                   {"1.2.3.4:65535", 65535},
                                   {"1.2.3.4:080", 80}}) {
    const Parsed parsed = Parse(text);
    ASSERT_EQ(parsed.result, 0) << text;
    EXPECT_EQ(parsed.length, static_cast<int>(sizeof(sockaddr_in)));
    EXPECT_EQ(parsed.v4().sin_family, AF_INET);
    EXPECT_EQ(parsed.v4().sin_addr.s_addr, htonl(0x01020304));
    EXPECT_EQ(ntohs(parsed.v4().sin_port), port);
    const char zeros[8] = {};
    EXPECT_EQ(std::memcmp(parsed.v4().sin_zero, zeros, 8), 0);
  }
}

// semantics 15.1
TEST(UtilAddress, ParsesV6PortAndZone) {
  const std::uint32_t loopback = if_nametoindex("lo");
  struct Row {
    const char* text;
    const char* address;
    int port;
    std::uint32_t zone;
  };
  for (const Row& row :
       {Row{"::1", "::1", 0, 0}, Row{"[::1]", "::1", 0, 0},
        Row{"[::1]:80", "::1", 80, 0}, Row{"::1:80", "::1:80", 0, 0},
        Row{"[::ffff:1.2.3.4]:5", "::ffff:1.2.3.4", 5, 0},
        Row{"fe80::1%lo", "fe80::1", 0, loopback},
        Row{"[fe80::1%lo]:65535", "fe80::1", 65535, loopback},
        Row{"[fe80::1%99]", "fe80::1", 0, 99}}) {
    const Parsed parsed = Parse(row.text);
    ASSERT_EQ(parsed.result, 0) << row.text;
    EXPECT_EQ(parsed.length, static_cast<int>(sizeof(sockaddr_in6)));
    EXPECT_EQ(parsed.v6().sin6_family, AF_INET6);
    in6_addr want;
    ASSERT_EQ(inet_pton(AF_INET6, row.address, &want), 1);
    EXPECT_EQ(std::memcmp(&parsed.v6().sin6_addr, &want, 16), 0) << row.text;
    EXPECT_EQ(ntohs(parsed.v6().sin6_port), row.port) << row.text;
    EXPECT_EQ(parsed.v6().sin6_scope_id, row.zone) << row.text;
    EXPECT_EQ(parsed.v6().sin6_flowinfo, 0u) << row.text;
  }
}

// semantics 15.1
TEST(UtilAddress, ParseRefuses) {
  for (const char* text : {"",
                           "[]",
                           "[]:80",
                           ":80",
                           "host",
                           "1.2.3",
                           "1.2.3.4:",
                           "1.2.3.4:0",
                           "1.2.3.4:65536",
                           "1.2.3.4:-1",
                           "1.2.3.4x",
                           "1.2.3.4:80:90",
                           "[::1",
                           "::1]",
                           "[::1]:",
                           "[::1]:0",
                           "[::1]:65536",
                           "[1.2.3.4]",
                           "[1.2.3.4]:80",
                           "unix:/tmp/x",
                           "[fe80::1%nosuchif]",
                           "1.2.3.256:1"}) {
    EXPECT_EQ(Parse(text).result, -1) << text;
  }
}

#ifndef TESTING_DEBIAN_LIBEVENT
// semantics 15.1 (2.1.12 takes some trailing junk)
TEST(UtilAddress, ParseRefusesJunkAfterTheEnd) {
  for (const char* text :
       {"1.2.3.4:80x", "1.2.3.4: 80", "1.2.3.4:+80", "[::1]x", "[::1]80",
        "[::1]:80:90", " 1.2.3.4", "1.2.3.4:4294967376"}) {
    const Parsed parsed = Parse(text);
    EXPECT_EQ(parsed.result, -1) << text;
    EXPECT_EQ(parsed.storage.ss_family, 0x5555) << "output was touched";
    EXPECT_EQ(parsed.length, static_cast<int>(sizeof(sockaddr_storage)));
  }
}
#endif

// semantics 15.1
TEST(UtilAddress, ParseNeedsRoom) {
  EXPECT_EQ(Parse("1.2.3.4", 0).result, -1);
  EXPECT_EQ(Parse("1.2.3.4", 15).result, -1);
  EXPECT_EQ(Parse("1.2.3.4", 16).result, 0);
  EXPECT_EQ(Parse("::1", 27).result, -1);
  EXPECT_EQ(Parse("::1", 28).result, 0);
}

// semantics 15.1: what is between the brackets has at most 127 characters.
TEST(UtilAddress, ParseLimitsTheLength) {
  const auto padded = [](std::size_t inner) {
    return "[::1%" + std::string(inner - 5, '0') + "1]";
  };
  EXPECT_EQ(Parse(padded(127)).result, 0);
  EXPECT_EQ(Parse(padded(128)).result, -1);
}

int Compare(const char* a, const char* b, bool with_port) {
  const Parsed first = Parse(a);
  const Parsed second = Parse(b);
  EXPECT_EQ(first.result, 0) << a;
  EXPECT_EQ(second.result, 0) << b;
  return evutil_sockaddr_cmp(reinterpret_cast<const sockaddr*>(&first.storage),
                             reinterpret_cast<const sockaddr*>(&second.storage),
                             with_port ? 1 : 0);
}

// api evutil_sockaddr_cmp
TEST(UtilAddress, Compares) {
  EXPECT_EQ(Compare("1.2.3.4:80", "1.2.3.4:80", true), 0);
  EXPECT_EQ(Compare("1.2.3.4:80", "1.2.3.4:81", false), 0);
  EXPECT_NE(Compare("1.2.3.4:80", "1.2.3.4:81", true), 0);
  EXPECT_NE(Compare("1.2.3.4", "1.2.3.5", false), 0);
  EXPECT_EQ(Compare("[::1]:80", "[::1]:81", false), 0);
  EXPECT_NE(Compare("[::1]:80", "[::1]:81", true), 0);
  EXPECT_NE(Compare("::1", "::2", false), 0);
  EXPECT_NE(Compare("::1", "1.2.3.4", false), 0);
  // An order: one way is the opposite of the other.
  for (const auto& [a, b] : {std::pair{"1.2.3.4", "1.2.3.5"},
                             {"1.2.3.4", "::1"},
                             {"::1", "::2"},
                             {"1.0.0.2", "2.0.0.1"},
                             {"1.2.3.4:255", "1.2.3.4:256"}}) {
    EXPECT_EQ(Compare(a, b, true) < 0, Compare(b, a, true) > 0) << a;
  }
}

TEST(UtilAddress, TheFamilyOfAStorageHasItsUsualName) {
  EXPECT_EQ(Parse("1.2.3.4").storage.ss_family, AF_INET);
  EXPECT_EQ(Parse("::1").storage.ss_family, AF_INET6);
}

// api evutil_sockaddr_cmp
TEST(UtilAddress, UnknownFamiliesAreNeverEqual) {
  sockaddr_un path{};
  path.sun_family = AF_UNIX;
  const auto* address = reinterpret_cast<const sockaddr*>(&path);
  EXPECT_EQ(evutil_sockaddr_cmp(address, address, 0), 1);
}

}  // namespace

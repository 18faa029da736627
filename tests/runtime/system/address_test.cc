#include "percore/runtime/system/address.h"

#include <arpa/inet.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "gtest/gtest.h"

namespace percore {
namespace {

std::string Formatted(std::string_view text, std::size_t room = 100) {
  sockaddr_storage address{};
  int size = sizeof(address);
  EXPECT_TRUE(
      ParseAddressPort(text, reinterpret_cast<sockaddr*>(&address), &size));
  char out[100];
  std::memset(out, 'x', sizeof(out));
  FormatAddressPort(reinterpret_cast<const sockaddr&>(address), out, room);
  return out;
}

// semantics 15.2
TEST(Address, FormatsWithPort) {
  EXPECT_EQ(Formatted("1.2.3.4:80"), "1.2.3.4:80");
  EXPECT_EQ(Formatted("1.2.3.4"), "1.2.3.4:0");
  EXPECT_EQ(Formatted("[::1]:65535"), "[::1]:65535");
  EXPECT_EQ(Formatted("fe80::1"), "[fe80::1]:0");
  const std::string longest = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535";
  EXPECT_EQ(Formatted(longest, kAddressPortText), longest);
}

// semantics 15.2
TEST(Address, FormatIsCutAndTerminated) {
  EXPECT_EQ(Formatted("1.2.3.4:80", 5), "1.2.");
}

TEST(Address, FormatOfAnotherFamily) {
  sockaddr_un path{};
  path.sun_family = AF_UNIX;
  char out[8];
  EXPECT_STREQ(
      FormatAddressPort(reinterpret_cast<const sockaddr&>(path), out, 8), "?");
}

TEST(Address, FormatTellsWhyItFailed) {
  char out[4];
  const in_addr v4{};
  errno = 0;
  EXPECT_EQ(FormatAddress(AF_INET, &v4, out, sizeof(out)), nullptr);
  EXPECT_EQ(errno, ENOSPC);
  EXPECT_EQ(FormatAddress(AF_UNIX, &v4, out, sizeof(out)), nullptr);
  EXPECT_EQ(errno, EAFNOSUPPORT);
}

// The text need not end in a NUL, and one inside is no end.
TEST(Address, TextIsTakenByLength) {
  in_addr v4;
  EXPECT_TRUE(ParseV4(std::string_view("1.2.3.45", 7), &v4));
  EXPECT_EQ(v4.s_addr, htonl(0x01020304));
  EXPECT_FALSE(ParseV4(std::string_view("1.2.3.4\0", 8), &v4));
  in6_addr v6;
  EXPECT_TRUE(ParseV6(std::string_view("::123", 4), &v6));
  EXPECT_EQ(v6.s6_addr[15], 0x12);
  EXPECT_FALSE(ParseV6(std::string_view("::1\0", 4), &v6));
}

TEST(Address, WhatIsRefusedChangesNothing) {
  in_addr v4{42};
  EXPECT_FALSE(ParseV4("1.2.3.x", &v4));
  EXPECT_EQ(v4.s_addr, 42u);
  in6_addr v6;
  std::memset(&v6, 7, sizeof(v6));
  std::uint32_t zone = 9;
  EXPECT_FALSE(ParseV6WithZone("::1%no such", &v6, &zone));
  EXPECT_EQ(v6.s6_addr[0], 7);
  EXPECT_EQ(zone, 9u);
  sockaddr_in small{};
  small.sin_port = 5;
  int size = sizeof(small);
  EXPECT_FALSE(
      ParseAddressPort("::1", reinterpret_cast<sockaddr*>(&small), &size));
  EXPECT_EQ(small.sin_port, 5);
  EXPECT_EQ(size, static_cast<int>(sizeof(small)));
}

// A negative size is a caller's bug and must not become a huge one.
TEST(Address, NoRoomAtAll) {
  int size = -1;
  sockaddr_in out{};
  EXPECT_FALSE(
      ParseAddressPort("1.2.3.4", reinterpret_cast<sockaddr*>(&out), &size));
}

sockaddr_storage Address(std::string_view text) {
  sockaddr_storage address{};
  int size = sizeof(address);
  EXPECT_TRUE(
      ParseAddressPort(text, reinterpret_cast<sockaddr*>(&address), &size))
      << text;
  return address;
}

int Order(std::string_view a, std::string_view b) {
  const sockaddr_storage first = Address(a);
  const sockaddr_storage second = Address(b);
  return CompareAddresses(reinterpret_cast<const sockaddr&>(first),
                          reinterpret_cast<const sockaddr&>(second), true);
}

TEST(Address, OrderIsNumeric) {
  EXPECT_LT(Order("1.0.0.2", "2.0.0.1"), 0);
  EXPECT_LT(Order("9.0.0.0", "200.0.0.0"), 0);
  EXPECT_LT(Order("1.2.3.4:255", "1.2.3.4:256"), 0);
  EXPECT_GT(Order("1.2.3.5:1", "1.2.3.4:2"), 0);
  EXPECT_LT(Order("::ff", "::100"), 0);
  EXPECT_LT(Order("255.255.255.255", "::"), 0);
}

// semantics 15.11
TEST(Address, LocalV4) {
  in_addr v4;
  for (const char* text : {"0.0.0.0", "127.0.0.1", "127.255.255.255",
                           "169.254.0.0", "169.254.255.1"}) {
    ASSERT_TRUE(ParseV4(text, &v4));
    EXPECT_TRUE(IsLocalV4(v4)) << text;
  }
  for (const char* text :
       {"0.0.0.1", "126.255.255.255", "128.0.0.1", "169.253.255.255",
        "169.255.0.0", "10.0.0.1", "192.168.1.1", "8.8.8.8"}) {
    ASSERT_TRUE(ParseV4(text, &v4));
    EXPECT_FALSE(IsLocalV4(v4)) << text;
  }
}

// semantics 15.11
TEST(Address, LocalV6) {
  in6_addr v6;
  for (const char* text : {"::", "::1", "fe80::1", "febf::1"}) {
    ASSERT_TRUE(ParseV6(text, &v6));
    EXPECT_TRUE(IsLocalV6(v6)) << text;
  }
  for (const char* text : {"::2", "fec0::1", "fe7f::1", "2001:db8::1"}) {
    ASSERT_TRUE(ParseV6(text, &v6));
    EXPECT_FALSE(IsLocalV6(v6)) << text;
  }
}

}  // namespace
}  // namespace percore

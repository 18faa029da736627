// Address parsing: no read past the end, agreement with the system's
// inet_pton, and what was read is written and read back the same.

#include <arpa/inet.h>

#include <cstring>
#include <string>
#include <string_view>

#include "percore/runtime/system/address.h"
#include "tests/fuzz/driver.h"

namespace {

// inet_pton of the system; text with a NUL inside is not an address.
bool SystemReads(int family, std::string_view text, void* out) {
  if (text.find('\0') != std::string_view::npos) return false;
  return inet_pton(family, std::string(text).c_str(), out) == 1;
}

// The one thing we take and the system does not: "01" in dotted form.
bool HasDottedZero(std::string_view text) {
  if (text.find('.') == std::string_view::npos) return false;
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    const bool starts = i == 0 || text[i - 1] == '.' || text[i - 1] == ':';
    if (starts && text[i] == '0' && text[i + 1] >= '0' && text[i + 1] <= '9') {
      return true;
    }
  }
  return false;
}

void CheckAgainstSystem(std::string_view text) {
  in_addr v4;
  in_addr system4;
  const bool ours4 = percore::ParseV4(text, &v4);
  const bool theirs4 = SystemReads(AF_INET, text, &system4);
  FUZZ_CHECK(ours4 == theirs4 || (ours4 && HasDottedZero(text)));
  FUZZ_CHECK(!ours4 || !theirs4 || v4.s_addr == system4.s_addr);

  in6_addr v6;
  in6_addr system6;
  const bool ours6 = percore::ParseV6(text, &v6);
  const bool theirs6 = SystemReads(AF_INET6, text, &system6);
  FUZZ_CHECK(ours6 == theirs6 || (ours6 && HasDottedZero(text)));
  FUZZ_CHECK(!ours6 || !theirs6 || std::memcmp(&v6, &system6, 16) == 0);
  FUZZ_CHECK(!ours4 || !ours6);

  in6_addr zoned;
  std::uint32_t zone;
  if (ours6) {
    FUZZ_CHECK(percore::ParseV6WithZone(text, &zoned, &zone));
    FUZZ_CHECK(zone == 0 && std::memcmp(&v6, &zoned, 16) == 0);
  } else if (percore::ParseV6WithZone(text, &zoned, &zone)) {
    FUZZ_CHECK(text.find('%') != std::string_view::npos);
  }
}

void CheckRoundTrip(const sockaddr_storage& address, int size) {
  const auto& parsed = reinterpret_cast<const sockaddr&>(address);
  char text[percore::kAddressPortText];
  percore::FormatAddressPort(parsed, text, sizeof(text));
  FUZZ_CHECK(std::strlen(text) < sizeof(text));
  // Port 0 is written and not read: without it.
  std::string again = text;
  if (again.ends_with(":0")) again.resize(again.size() - 2);
  sockaddr_storage second{};
  int second_size = sizeof(second);
  FUZZ_CHECK(percore::ParseAddressPort(
      again, reinterpret_cast<sockaddr*>(&second), &second_size));
  FUZZ_CHECK(second_size == size);
  FUZZ_CHECK(percore::CompareAddresses(
                 parsed, reinterpret_cast<const sockaddr&>(second), true) == 0);
}

void CheckSockaddr(std::string_view text) {
  sockaddr_storage address;
  std::memset(&address, 0xa5, sizeof(address));
  int size = sizeof(address);
  if (!percore::ParseAddressPort(text, reinterpret_cast<sockaddr*>(&address),
                                 &size)) {
    FUZZ_CHECK(size == sizeof(address));
    FUZZ_CHECK(address.ss_family == 0xa5a5);
    return;
  }
  FUZZ_CHECK(address.ss_family == AF_INET || address.ss_family == AF_INET6);
  FUZZ_CHECK(size == (address.ss_family == AF_INET
                          ? static_cast<int>(sizeof(sockaddr_in))
                          : static_cast<int>(sizeof(sockaddr_in6))));
  CheckRoundTrip(address, size);

  // One byte less is too little, and nothing past it is written.
  sockaddr_storage small;
  std::memset(&small, 0xa5, sizeof(small));
  int small_size = size - 1;
  FUZZ_CHECK(!percore::ParseAddressPort(
      text, reinterpret_cast<sockaddr*>(&small), &small_size));
  FUZZ_CHECK(small_size == size - 1);
  const auto* bytes = reinterpret_cast<const unsigned char*>(&small);
  for (std::size_t i = 0; i < sizeof(small); ++i) FUZZ_CHECK(bytes[i] == 0xa5);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  CheckAgainstSystem(text);
  CheckSockaddr(text);
  return 0;
}

namespace percore::fuzz {

Corpus TheCorpus() {
  Corpus corpus;
  corpus.seeds = {
      "",
      "1.2.3.4",
      "1.2.3.4:80",
      "255.255.255.255:65535",
      "0.0.0.0:1",
      "::",
      "::1",
      "[::1]",
      "[::1]:80",
      "1:2:3:4:5:6:7:8",
      "1:2:3:4:5:6:7::",
      "::2:3:4:5:6:7:8",
      "1::8",
      "::1.2.3.4",
      "[::ffff:1.2.3.4]:5",
      "1:2:3:4:5:6:1.2.3.4",
      "fe80::1%lo",
      "[fe80::1%lo]:65535",
      "[fe80::1%99]",
      "fe80::1%4294967295",
      "01.02.03.004",
      "[ABCD:EF01::]:080",
      "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
      "[::1%0000000000000000000000000000000000000000000000000000000000000000"
      "000000000000000000000000000000000000000000000000000000000001]:1"};
  corpus.tokens = {":",       "::",    ".",    "%", "[",         "]",
                   "]:",      "0",     "00",   "1", "255",       "256",
                   "65535",   "65536", "ffff", "f", "%lo",       "%1",
                   "1.2.3.4", " ",     "-",    "+", "4294967296"};
  corpus.max_size = 160;
  return corpus;
}

}  // namespace percore::fuzz

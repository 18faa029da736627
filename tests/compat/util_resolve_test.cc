// Blocking name resolution and random bytes, through evutil. No test asks a
// name server: only numbers, and names that resolve without one.

#include <arpa/inet.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace {

struct Result {
  int code;
  evutil_addrinfo* list = nullptr;

  Result(const char* node, const char* service, int flags, int family = 0,
         int type = 0, int protocol = 0) {
    evutil_addrinfo hints{};
    hints.ai_flags = flags;
    hints.ai_family = family;
    hints.ai_socktype = type;
    hints.ai_protocol = protocol;
    code = evutil_getaddrinfo(node, service, &hints, &list);
  }
  Result(const Result&) = delete;
  Result& operator=(const Result&) = delete;
  ~Result() {
    if (code == 0 && list != nullptr) evutil_freeaddrinfo(list);
  }
  const sockaddr_in& v4() const {
    return *reinterpret_cast<const sockaddr_in*>(list->ai_addr);
  }
  const sockaddr_in6& v6() const {
    return *reinterpret_cast<const sockaddr_in6*>(list->ai_addr);
  }
};

// semantics 15.4
// api evutil_getaddrinfo
// api evutil_freeaddrinfo
TEST(UtilResolve, NumbersOfBothFamilies) {
  Result v4("1.2.3.4", "8080", EVUTIL_AI_NUMERICHOST | EVUTIL_AI_NUMERICSERV,
            PF_UNSPEC, SOCK_STREAM);
  ASSERT_EQ(v4.code, 0);
  EXPECT_EQ(v4.list->ai_family, PF_INET);
  EXPECT_EQ(v4.list->ai_addrlen, sizeof(sockaddr_in));
  EXPECT_EQ(v4.v4().sin_addr.s_addr, htonl(0x01020304));
  EXPECT_EQ(ntohs(v4.v4().sin_port), 8080);
  EXPECT_EQ(v4.list->ai_next, nullptr);

  Result v6("1001:b0b::f00f", "4321",
            EVUTIL_AI_NUMERICHOST | EVUTIL_AI_NUMERICSERV, PF_UNSPEC,
            SOCK_STREAM);
  ASSERT_EQ(v6.code, 0);
  EXPECT_EQ(v6.list->ai_family, PF_INET6);
  EXPECT_EQ(ntohs(v6.v6().sin6_port), 4321);
  EXPECT_EQ(v6.v6().sin6_addr.s6_addr[0], 0x10);
}

// semantics 15.4
TEST(UtilResolve, ProtocolAndTypeFollowFromEachOther) {
  Result stream("1.2.3.4", "80", EVUTIL_AI_NUMERICHOST, 0, SOCK_STREAM);
  ASSERT_EQ(stream.code, 0);
  EXPECT_EQ(stream.list->ai_protocol, IPPROTO_TCP);
  Result udp("1.2.3.4", "80", EVUTIL_AI_NUMERICHOST, 0, 0, IPPROTO_UDP);
  ASSERT_EQ(udp.code, 0);
  EXPECT_EQ(udp.list->ai_socktype, SOCK_DGRAM);
  Result both("1.2.3.4", "80", EVUTIL_AI_NUMERICHOST);
  ASSERT_EQ(both.code, 0);
  std::set<int> protocols;
  for (evutil_addrinfo* ai = both.list; ai != nullptr; ai = ai->ai_next) {
    protocols.insert(ai->ai_protocol);
  }
  EXPECT_TRUE(protocols.contains(IPPROTO_TCP));
  EXPECT_TRUE(protocols.contains(IPPROTO_UDP));
}

// semantics 15.4
TEST(UtilResolve, NoNodeIsAnyOrLoopback) {
  Result any(nullptr, "80", EVUTIL_AI_PASSIVE, PF_INET, SOCK_STREAM);
  ASSERT_EQ(any.code, 0);
  EXPECT_EQ(any.v4().sin_addr.s_addr, htonl(INADDR_ANY));
  Result loopback(nullptr, "80", 0, PF_INET, SOCK_STREAM);
  ASSERT_EQ(loopback.code, 0);
  EXPECT_EQ(loopback.v4().sin_addr.s_addr, htonl(INADDR_LOOPBACK));
  Result any6(nullptr, "80", EVUTIL_AI_PASSIVE, PF_INET6, SOCK_STREAM);
  ASSERT_EQ(any6.code, 0);
  EXPECT_TRUE(IN6_IS_ADDR_UNSPECIFIED(&any6.v6().sin6_addr));
}

// semantics 15.4
TEST(UtilResolve, Errors) {
  EXPECT_EQ(Result(nullptr, nullptr, 0).code, EVUTIL_EAI_NONAME);
  EXPECT_EQ(Result("not-a-number.example", "80", EVUTIL_AI_NUMERICHOST).code,
            EVUTIL_EAI_NONAME);
  EXPECT_EQ(
      Result("1.2.3.4", "http", EVUTIL_AI_NUMERICSERV, 0, SOCK_STREAM).code,
      EVUTIL_EAI_NONAME);
  EXPECT_EQ(Result("1.2.3.4", "80", EVUTIL_AI_NUMERICHOST, PF_UNIX).code,
            EVUTIL_EAI_FAMILY);
  EXPECT_EQ(Result("1.2.3.4", "no-such-service", EVUTIL_AI_NUMERICHOST, 0,
                   SOCK_STREAM)
                .code,
            EVUTIL_EAI_SERVICE);
}

#ifndef TESTING_DEBIAN_LIBEVENT
// Better than 2.1.12, which leaves *res as it was.
TEST(UtilResolve, NoListAfterAnError) {
  evutil_addrinfo* list = reinterpret_cast<evutil_addrinfo*>(1);
  EXPECT_EQ(evutil_getaddrinfo(nullptr, nullptr, nullptr, &list),
            EVUTIL_EAI_NONAME);
  EXPECT_EQ(list, nullptr);
}
#endif

// api evutil_getaddrinfo
TEST(UtilResolve, CanonicalName) {
  Result named("1.2.3.4", "80", EVUTIL_AI_CANONNAME | EVUTIL_AI_NUMERICHOST, 0,
               SOCK_STREAM);
  ASSERT_EQ(named.code, 0);
  EXPECT_STREQ(named.list->ai_canonname, "1.2.3.4");
}

// api evutil_gai_strerror
TEST(UtilResolve, EveryCodeHasAText) {
  std::set<std::string> texts;
  const int codes[] = {0,
                       EVUTIL_EAI_ADDRFAMILY,
                       EVUTIL_EAI_AGAIN,
                       EVUTIL_EAI_BADFLAGS,
                       EVUTIL_EAI_FAIL,
                       EVUTIL_EAI_FAMILY,
                       EVUTIL_EAI_MEMORY,
                       EVUTIL_EAI_NODATA,
                       EVUTIL_EAI_NONAME,
                       EVUTIL_EAI_SERVICE,
                       EVUTIL_EAI_SOCKTYPE,
                       EVUTIL_EAI_SYSTEM,
                       EVUTIL_EAI_CANCEL};
  for (int code : codes) {
    const char* text = evutil_gai_strerror(code);
    ASSERT_NE(text, nullptr);
    EXPECT_STRNE(text, "Unknown error") << code;
    texts.insert(text);
  }
  EXPECT_EQ(texts.size(), std::size(codes)) << "two codes share a text";
  EXPECT_STREQ(evutil_gai_strerror(EVUTIL_EAI_CANCEL), "Request canceled");
  EXPECT_STREQ(evutil_gai_strerror(12345), "Unknown error");
}

// semantics 15.7
// api evutil_secure_rng_get_bytes
// api evutil_secure_rng_init
TEST(UtilRandom, FillsAndDoesNotRepeat) {
  EXPECT_EQ(evutil_secure_rng_init(), 0);
  // 256 draws of 16 bytes: a repetition is a broken generator (2^-113).
  std::set<std::string> seen;
  for (int i = 0; i < 256; ++i) {
    char bytes[16];
    evutil_secure_rng_get_bytes(bytes, sizeof(bytes));
    seen.insert(std::string(bytes, sizeof(bytes)));
  }
  EXPECT_EQ(seen.size(), 256u);
}

// api evutil_secure_rng_get_bytes
TEST(UtilRandom, EveryByteOfALargeBlockIsWritten) {
  // Past 256 bytes the kernel may return less than was asked for.
  std::vector<unsigned char> block(100000, 0);
  evutil_secure_rng_get_bytes(block.data(), block.size());
  std::vector<int> counts(256);
  for (unsigned char byte : block) ++counts[byte];
  // 390 of each on average, standard deviation 20.
  EXPECT_LT(*std::max_element(counts.begin(), counts.end()), 590);
  EXPECT_GT(*std::min_element(counts.begin(), counts.end()), 190);
  unsigned char guard[3] = {1, 2, 3};
  evutil_secure_rng_get_bytes(guard + 1, 0);
  EXPECT_EQ(guard[1], 2) << "zero bytes were asked for";
}

// api evutil_secure_rng_add_bytes
TEST(UtilRandom, AddedBytesDoNoHarm) {
  char bytes[16] = {};
  evutil_secure_rng_add_bytes("seed", 4);
  evutil_secure_rng_get_bytes(bytes, sizeof(bytes));
  EXPECT_NE(std::string(bytes, sizeof(bytes)), std::string(16, '\0'));
}

// api evutil_secure_rng_set_urandom_device_file
TEST(UtilRandom, DeviceFileDoesNotMatterToASystemWithAGenerator) {
  static char none[] = "/nonexistent";
  const int result = evutil_secure_rng_set_urandom_device_file(none);
#ifdef TESTING_DEBIAN_LIBEVENT
  EXPECT_EQ(result, -1) << "2.1.12 over arc4random has no device";
#else
  EXPECT_EQ(result, 0);
#endif
  EXPECT_EQ(evutil_secure_rng_init(), 0);
  static char urandom[] = "/dev/urandom";
  evutil_secure_rng_set_urandom_device_file(urandom);
}

// semantics 15.7
TEST(UtilRandom, AChildOfForkGetsBytesOfItsOwn) {
  char warm_up[16];
  evutil_secure_rng_get_bytes(warm_up, sizeof(warm_up));
  int pipe_fds[2];
  ASSERT_EQ(pipe(pipe_fds), 0);
  const pid_t child = fork();
  if (child == 0) {
    char bytes[16];
    evutil_secure_rng_get_bytes(bytes, sizeof(bytes));
    _exit(write(pipe_fds[1], bytes, 16) == 16 ? 0 : 1);
  }
  char ours[16];
  char theirs[16];
  evutil_secure_rng_get_bytes(ours, sizeof(ours));
  ASSERT_EQ(read(pipe_fds[0], theirs, 16), 16);
  EXPECT_NE(std::memcmp(ours, theirs, 16), 0);
  int status;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  close(pipe_fds[0]);
  close(pipe_fds[1]);
}

}  // namespace

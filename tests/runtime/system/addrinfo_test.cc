#include "percore/runtime/system/addrinfo.h"

#include <netinet/in.h>

#include <cstdlib>
#include <cstring>
#include <set>
#include <string>

#include "gtest/gtest.h"
#include "percore/runtime/system/memory.h"
#include "percore/runtime/system/process_state.h"

namespace percore {
namespace {

// Counts what is allocated and not freed, and can fail the n-th allocation.
int live = 0;
int fail_in = -1;

void* CountingMalloc(std::size_t size) {
  if (fail_in == 0) return nullptr;
  if (fail_in > 0) --fail_in;
  ++live;
  return std::malloc(size);
}
void CountingFree(void* p) {
  --live;
  std::free(p);
}

class AddrInfoTest : public testing::Test {
 protected:
  AddrInfoTest() {
    live = 0;
    fail_in = -1;
    State().malloc_fn = &CountingMalloc;
    State().free_fn = &CountingFree;
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(0x01020304);
    address_.sin_port = htons(80);
  }
  ~AddrInfoTest() override {
    State().malloc_fn = nullptr;
    State().free_fn = nullptr;
  }

  addrinfo* New(int type, int protocol) {
    addrinfo hints{};
    hints.ai_socktype = type;
    hints.ai_protocol = protocol;
    return NewAddrInfo(reinterpret_cast<const sockaddr&>(address_),
                       sizeof(address_), hints);
  }

  sockaddr_in address_{};
};

// semantics 15.4
TEST_F(AddrInfoTest, NeitherTypeNorProtocolGivesTcpAndUdp) {
  addrinfo* list = New(0, 0);
  ASSERT_NE(list, nullptr);
  EXPECT_EQ(list->ai_socktype, SOCK_STREAM);
  EXPECT_EQ(list->ai_protocol, IPPROTO_TCP);
  ASSERT_NE(list->ai_next, nullptr);
  EXPECT_EQ(list->ai_next->ai_socktype, SOCK_DGRAM);
  EXPECT_EQ(list->ai_next->ai_protocol, IPPROTO_UDP);
  EXPECT_EQ(list->ai_next->ai_next, nullptr);
  EXPECT_EQ(list->ai_addrlen, sizeof(sockaddr_in));
  EXPECT_EQ(std::memcmp(list->ai_next->ai_addr, &address_, sizeof(address_)),
            0);
  FreeAddrInfo(list);
  EXPECT_EQ(live, 0);
}

// semantics 15.4
TEST_F(AddrInfoTest, EachFollowsFromTheOther) {
  struct Row {
    int type, protocol, want_type, want_protocol;
  };
  for (const Row& row :
       {Row{SOCK_STREAM, 0, SOCK_STREAM, IPPROTO_TCP},
        Row{SOCK_DGRAM, 0, SOCK_DGRAM, IPPROTO_UDP},
        Row{0, IPPROTO_TCP, SOCK_STREAM, IPPROTO_TCP},
        Row{0, IPPROTO_UDP, SOCK_DGRAM, IPPROTO_UDP},
        Row{SOCK_RAW, 0, SOCK_RAW, 0},
        Row{SOCK_STREAM, IPPROTO_SCTP, SOCK_STREAM, IPPROTO_SCTP}}) {
    addrinfo* entry = New(row.type, row.protocol);
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(entry->ai_socktype, row.want_type);
    EXPECT_EQ(entry->ai_protocol, row.want_protocol);
    EXPECT_EQ(entry->ai_next, nullptr);
    FreeAddrInfo(entry);
  }
  EXPECT_EQ(live, 0);
}

TEST_F(AddrInfoTest, OutOfMemoryLeavesNothingBehind) {
  for (int n : {0, 1}) {
    fail_in = n;
    EXPECT_EQ(New(0, 0), nullptr);
    EXPECT_EQ(live, 0);
  }
}

addrinfo* FromLibc() {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST;
  addrinfo* list = nullptr;
  EXPECT_EQ(ResolveBlocking("5.6.7.8", "80", &hints, &list), 0);
  return list;  // several entries: stream, datagram, raw
}

// Sanitizers see a block that goes to the wrong free.
TEST_F(AddrInfoTest, ListsOfBothKindsAreFreedByTheirOwn) {
  FreeAddrInfo(FromLibc());
  FreeAddrInfo(AppendAddrInfo(New(0, 0), FromLibc()));
  FreeAddrInfo(AppendAddrInfo(FromLibc(), New(0, 0)));
  addrinfo* all = AppendAddrInfo(FromLibc(), New(SOCK_STREAM, 0));
  all = AppendAddrInfo(all, FromLibc());
  all = AppendAddrInfo(all, New(0, 0));
  FreeAddrInfo(all);
  FreeAddrInfo(nullptr);
  EXPECT_EQ(live, 0);
}

TEST_F(AddrInfoTest, TheCanonicalNameIsFreedToo) {
  addrinfo* entry = New(SOCK_STREAM, 0);
  entry->ai_canonname = MemStrdup("name");
  EXPECT_EQ(live, 2);
  FreeAddrInfo(entry);
  EXPECT_EQ(live, 0);
}

TEST_F(AddrInfoTest, AppendToNothing) {
  EXPECT_EQ(AppendAddrInfo(nullptr, nullptr), nullptr);
  addrinfo* entry = New(SOCK_STREAM, 0);
  EXPECT_EQ(AppendAddrInfo(nullptr, entry), entry);
  EXPECT_EQ(AppendAddrInfo(entry, nullptr), entry);
  FreeAddrInfo(entry);
}

// Programs in strict mode have these numbers compiled in.
TEST(ResolveErrorText, KnowsTheNumbersOfStrictPrograms) {
  std::set<std::string> texts;
  for (int code = -901; code >= -911; --code) {
    EXPECT_STRNE(ResolveErrorText(code), "Unknown error") << code;
    texts.insert(ResolveErrorText(code));
  }
  EXPECT_EQ(texts.size(), 11u);
  EXPECT_STREQ(ResolveErrorText(-908), ResolveErrorText(EAI_NONAME));
  EXPECT_STREQ(ResolveErrorText(-911), ResolveErrorText(EAI_SYSTEM));
  EXPECT_STREQ(ResolveErrorText(-900), "Unknown error");
  EXPECT_STREQ(ResolveErrorText(-912), "Unknown error");
}

}  // namespace
}  // namespace percore

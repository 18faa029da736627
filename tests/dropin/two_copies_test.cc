// Two drop-in libraries with the same code in one process, in separate scopes.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace {

constexpr const char* kFolder = "tests/dropin/";

void* Open(const std::string& name) {
  void* handle = dlopen((kFolder + name).c_str(), RTLD_NOW | RTLD_LOCAL);
  EXPECT_NE(handle, nullptr) << dlerror();
  return handle;
}

template <class Function>
Function* Find(void* handle, const char* name) {
  return reinterpret_cast<Function*>(dlsym(handle, name));
}

TEST(TwoCopies, ShareTheProcessState) {
  void* tiny = Open("libtiny-2.1.so.7.0.1");
  void* twin = Open("libtwin-2.1.so.7.0.1");
  ASSERT_TRUE(tiny != nullptr && twin != nullptr);
  auto* raise = Find<int()>(tiny, "event_tiny_raise");
  auto* raise_too = Find<int()>(twin, "event_tiny_raise");
  ASSERT_TRUE(raise != nullptr && raise_too != nullptr);
  ASSERT_NE(raise, raise_too) << "the code must be there twice";
  EXPECT_EQ(dlsym(tiny, "percore_state"), dlsym(twin, "percore_state"));
  int first = raise();
  EXPECT_EQ(raise_too(), first + 1);
  EXPECT_EQ(raise(), first + 2);
}

TEST(TwoCopies, EachHasItsOwnCxxRuntime) {
  for (const char* name : {"libtiny-2.1.so.7.0.1", "libtwin-2.1.so.7.0.1"}) {
    void* handle = Open(name);
    ASSERT_NE(handle, nullptr);
    auto* selftest = Find<int(int)>(handle, "event_tiny_selftest");
    ASSERT_NE(selftest, nullptr);
    EXPECT_EQ(selftest(10), 0) << name;
    EXPECT_EQ(dlsym(handle, "_ZSt4cout"), nullptr) << name;
  }
}

// The program's exceptions are of the program's libstdc++; the frames between
// throw and catch are of the library's.
TEST(TwoCopies, AnExceptionOfTheProgramPassesThrough) {
  void* handle = Open("libtiny-2.1.so.7.0.1");
  ASSERT_NE(handle, nullptr);
  auto* call = Find<int(void (*)(void*), void*)>(handle, "event_tiny_call");
  ASSERT_NE(call, nullptr);
  std::string caught;
  try {
    call([](void*) { throw std::runtime_error("mine"); }, nullptr);
  } catch (const std::runtime_error& error) {
    caught = error.what();
  }
  EXPECT_EQ(caught, "mine");
  EXPECT_EQ(call([](void*) {}, nullptr), 100);
}

}  // namespace

// A library loaded at run time, out of sight of every other one.

#ifndef PERCORE_BENCH_PEERS_SHARED_LIBRARY_H_
#define PERCORE_BENCH_PEERS_SHARED_LIBRARY_H_

#include <dlfcn.h>

#include <string>

namespace percore::bench {

class SharedLibrary {
 public:
  // RTLD_LOCAL: libev and libuv's neighbours export event_* names too. The
  // library stays loaded for the life of the process.
  explicit SharedLibrary(const std::string& path)
      : handle_(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ == nullptr) error_ = std::string(dlerror()) + "; ";
  }

  // What went wrong so far; empty when nothing did.
  const std::string& error() const { return error_; }

  // Sets `*function` to the symbol, which must be there.
  template <typename F>
  void Get(const char* name, F* function) {
    if (handle_ == nullptr) return;
    GetOptional(name, function);
    if (*function == nullptr) {
      error_ += std::string("no symbol ") + name + "; ";
    }
  }

  // Sets `*function` to the symbol, or to null when there is none.
  template <typename F>
  void GetOptional(const char* name, F* function) {
    *function = handle_ == nullptr ? nullptr
                                   : reinterpret_cast<F>(dlsym(handle_, name));
  }

 private:
  void* handle_;
  std::string error_;
};

}  // namespace percore::bench

#endif  // PERCORE_BENCH_PEERS_SHARED_LIBRARY_H_

#include "percore/runtime/loop/base_config.h"

#include <cstring>

namespace percore {

BaseConfig::~BaseConfig() {
  for (char* name : avoided) MemFree(name);
  MemFree(method);
}

bool BaseConfig::Avoid(const char* name) {
  if (!avoided.Reserve(avoided.size() + 1)) return false;
  char* copy = MemStrdup(name);
  if (copy == nullptr) return false;
  avoided.PushReserved(copy);
  return true;
}

bool BaseConfig::Avoids(const char* name) const {
  for (const char* one : avoided) {
    if (std::strcmp(one, name) == 0) return true;
  }
  return false;
}

bool BaseConfig::SetMethod(const char* name) {
  char* copy = nullptr;
  if (name != nullptr) {
    copy = MemStrdup(name);
    if (copy == nullptr) return false;
  }
  MemFree(method);
  method = copy;
  return true;
}

}  // namespace percore

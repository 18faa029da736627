#include "runtime/system/memory.h"

namespace monorepo {

const char* RuntimeOwner() { return "the monorepo"; }

}  // namespace monorepo

// The monorepo's own header, at a path that percore has too.
#ifndef RUNTIME_SYSTEM_MEMORY_H_
#define RUNTIME_SYSTEM_MEMORY_H_

namespace monorepo {

const char* RuntimeOwner();

}  // namespace monorepo

#endif  // RUNTIME_SYSTEM_MEMORY_H_

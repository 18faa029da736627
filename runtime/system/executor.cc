#include "percore/runtime/system/executor.h"

namespace percore {

constinit thread_local ExecutorLocals executor_locals;

}  // namespace percore

// From a command of one key to its answer, on the store that owns the key.

#ifndef PERCORE_EXAMPLES_KV_SERVER_EXECUTE_H_
#define PERCORE_EXAMPLES_KV_SERVER_EXECUTE_H_

#include <string>

#include "percore/examples/kv_server/command.h"
#include "percore/examples/kv_server/store.h"

namespace percore::kv {

// True for the verbs that Execute() takes: those whose work is one key's.
bool IsKeyed(Verb verb);

// Carries `command` out and appends its answer (nothing, if it asked for
// none). Of a get or gets it does the part of `command.key` alone: the VALUE
// block, if there is an item, and no END. Store's owner thread.
void Execute(const Command& command, Store& store, std::string* out);

}  // namespace percore::kv

#endif  // PERCORE_EXAMPLES_KV_SERVER_EXECUTE_H_

#include "percore/examples/kv_server/execute.h"

#include "percore/examples/kv_server/answer.h"

namespace percore::kv {
namespace {

Outcome Apply(const Command& command, Store& store, uint64_t* number) {
  const Store::Content content{command.flags, command.exptime, command.value};
  switch (command.verb) {
    case Verb::kSet:
      return store.Set(command.key, content);
    case Verb::kAdd:
      return store.Add(command.key, content);
    case Verb::kReplace:
      return store.Replace(command.key, content);
    case Verb::kAppend:
      return store.Append(command.key, command.value);
    case Verb::kPrepend:
      return store.Prepend(command.key, command.value);
    case Verb::kCas:
      return store.Cas(command.key, content, command.number);
    case Verb::kIncrement:
      return store.Increment(command.key, command.number, number);
    case Verb::kDecrement:
      return store.Decrement(command.key, command.number, number);
    case Verb::kTouch:
      return store.Touch(command.key, command.exptime);
    case Verb::kDelete:
      return store.Delete(command.key);
    default:
      store.RejectTooLarge(command.key, command.drop_old);
      return Outcome::kTooLarge;
  }
}

}  // namespace

bool IsKeyed(Verb verb) { return verb <= Verb::kTooLarge; }

void Execute(const Command& command, Store& store, std::string* out) {
  if (command.verb == Verb::kGet || command.verb == Verb::kGets) {
    if (const Item* item = store.Get(command.key)) {
      AppendValue(*item, command.verb == Verb::kGets, out);
    }
    return;
  }
  uint64_t number = 0;
  const Outcome outcome = Apply(command, store, &number);
  if (command.noreply) return;
  if (outcome == Outcome::kNumber) {
    AppendNumber(number, out);
  } else {
    out->append(AnswerOf(outcome));
  }
}

}  // namespace percore::kv

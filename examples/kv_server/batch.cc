#include "percore/examples/kv_server/batch.h"

#include "percore/examples/kv_server/execute.h"

namespace percore::kv {
namespace {

constexpr size_t kKeptBytes = 4096;
constexpr size_t kKeptEntries = 64;

}  // namespace

void Batch::Add(const Command& command) {
  entries_.push_back({.verb = command.verb,
                      .noreply = command.noreply,
                      .drop_old = command.drop_old,
                      .key_size = static_cast<uint8_t>(command.key.size()),
                      .flags = command.flags,
                      .value_size = static_cast<uint32_t>(command.value.size()),
                      .answer_end = 0,
                      .at = bytes_.size(),
                      .exptime = command.exptime,
                      .number = command.number});
  bytes_.append(command.key).append(command.value);
}

void Batch::Run(Store& store) {
  answers_.clear();
  answer_at_ = 0;
  while (done_ < entries_.size() && answers_.size() < kAnswerBudget) {
    Entry& entry = entries_[done_++];
    const std::string_view bytes(bytes_);
    Command command;
    command.verb = entry.verb;
    command.noreply = entry.noreply;
    command.drop_old = entry.drop_old;
    command.flags = entry.flags;
    command.exptime = entry.exptime;
    command.number = entry.number;
    command.key = bytes.substr(entry.at, entry.key_size);
    command.value = bytes.substr(entry.at + entry.key_size, entry.value_size);
    Execute(command, store, &answers_);
    entry.answer_end = static_cast<uint32_t>(answers_.size());
  }
}

std::string_view Batch::TakeAnswer() {
  const size_t end = entries_[taken_++].answer_end;
  const std::string_view answer =
      std::string_view(answers_).substr(answer_at_, end - answer_at_);
  answer_at_ = end;
  return answer;
}

void Batch::Clear() {
  entries_.clear();
  if (entries_.capacity() > kKeptEntries) std::vector<Entry>().swap(entries_);
  for (std::string* buffer : {&bytes_, &answers_}) {
    buffer->clear();
    if (buffer->capacity() > kKeptBytes) std::string().swap(*buffer);
  }
  answer_at_ = done_ = taken_ = 0;
}

void Order::Run(Store& store, ConnectionCounters& connections) {
  switch (verb) {
    case Verb::kFlushAll:
      store.FlushAll(delay);
      return;
    case Verb::kCacheMemlimit:
      store.SetMemoryLimit(memory_limit);
      return;
    default:
      if (topic == Topic::kReset) {
        store.ResetCounters();
        connections.ResetCounters();
        return;
      }
      stats.store = store.stats();
      stats.connections = connections;
  }
}

}  // namespace percore::kv

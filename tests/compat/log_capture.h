// Takes the library's log while it lives.

#ifndef PERCORE_TESTS_COMPAT_LOG_CAPTURE_H_
#define PERCORE_TESTS_COMPAT_LOG_CAPTURE_H_

#include <event2/event.h>

#include <string>
#include <utility>
#include <vector>

namespace compat {

// One at a time: the log callback is global and has no argument.
class LogCapture {
 public:
  LogCapture() {
    Lines().clear();
    event_set_log_callback(&LogCapture::Log);
  }
  ~LogCapture() { event_set_log_callback(nullptr); }
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  // How many lines of `severity` (EVENT_LOG_*) there are.
  int Count(int severity) const {
    int n = 0;
    for (const auto& line : Lines()) n += line.first == severity;
    return n;
  }
  int Warnings() const { return Count(EVENT_LOG_WARN); }
  bool Contains(const std::string& text) const {
    for (const auto& line : Lines()) {
      if (line.second.find(text) != std::string::npos) return true;
    }
    return false;
  }

 private:
  static std::vector<std::pair<int, std::string>>& Lines() {
    static std::vector<std::pair<int, std::string>> lines;
    return lines;
  }
  static void Log(int severity, const char* text) {
    Lines().emplace_back(severity, text);
  }
};

}  // namespace compat

#endif  // PERCORE_TESTS_COMPAT_LOG_CAPTURE_H_

#include "percore/tests/model/operation.h"

namespace percore::model {

const char* OrderName(std::memory_order order) {
  switch (order) {
    case std::memory_order_relaxed:
      return "relaxed";
    case std::memory_order_consume:
      return "consume";
    case std::memory_order_acquire:
      return "acquire";
    case std::memory_order_release:
      return "release";
    case std::memory_order_acq_rel:
      return "acq_rel";
    case std::memory_order_seq_cst:
      return "seq_cst";
  }
  return "?";
}

const char* KindName(Kind kind) {
  switch (kind) {
    case Kind::kLoad:
      return "load";
    case Kind::kStore:
      return "store";
    case Kind::kExchange:
      return "exchange";
    case Kind::kFetchOr:
      return "fetch_or";
    case Kind::kFetchAnd:
      return "fetch_and";
    case Kind::kFetchAdd:
      return "fetch_add";
    case Kind::kFetchSub:
      return "fetch_sub";
    case Kind::kFetchXor:
      return "fetch_xor";
    case Kind::kCompareExchange:
      return "compare_exchange";
    case Kind::kWait:
      return "wait";
    case Kind::kFence:
      return "fence";
    case Kind::kChoose:
      return "choose";
  }
  return "?";
}

std::string SiteName(const Site& site) {
  const size_t slash = site.file.rfind('/');
  const std::string file =
      slash == std::string::npos ? site.file : site.file.substr(slash + 1);
  return file + ":" + std::to_string(site.line) + " " +
         KindName(static_cast<Kind>(site.kind)) +
         (site.failure ? " (failure)" : "") + " " +
         OrderName(static_cast<std::memory_order>(site.order));
}

std::string WeakeningName(const Weakening& weakening) {
  return SiteName(weakening.site) + " -> " + OrderName(weakening.to);
}

}  // namespace percore::model

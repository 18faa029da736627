// The monorepo's own header, at a path that percore has too.
#ifndef NET_BUFFER_BUFFER_H_
#define NET_BUFFER_BUFFER_H_

namespace monorepo {

inline constexpr int kNetOwner = 1;

}  // namespace monorepo

#endif  // NET_BUFFER_BUFFER_H_

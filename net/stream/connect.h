// Connecting a socket stream by name: every address of the answer in turn.
#ifndef PERCORE_NET_STREAM_CONNECT_H_
#define PERCORE_NET_STREAM_CONNECT_H_

#include <netdb.h>

#include <cstdint>

#include "percore/net/stream/stream.h"

namespace percore {

// While a connect by name is under way.
struct ConnectState {
  addrinfo* addresses;       // all of them
  addrinfo* next;            // not yet tried
  std::int64_t deadline_ns;  // for all together; 0: none

  // As bufferevent_socket_connect_hostname_hints: looks the name up (blocking)
  // and starts. -1: arguments that cannot be; everything else is told by the
  // event callback.
  static int ByName(Stream* s, const addrinfo& hints, const char* name,
                    int port);
  // Starts with the next address. False: there is none left, or no time.
  static bool TryNext(Stream* s);
  static void Drop(Stream* s);
};

// As bufferevent_socket_connect. 0 or -1.
int ConnectSocket(Stream* s, const sockaddr* address, int size);

}  // namespace percore

#endif  // PERCORE_NET_STREAM_CONNECT_H_

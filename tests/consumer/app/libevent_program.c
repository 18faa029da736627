/* A program of libevent's, as it is written for libevent. */
#include <event.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stddef.h>
#include <stdio.h>

int main(void) {
  /* A member that only percore's struct event has: with libevent-dev's headers
     this does not compile. */
  size_t here = offsetof(struct event, ev_mail_pending_);
  if (here >= sizeof(struct event) || sizeof(struct event) != 128) {
    printf("FAIL: struct event has %zu bytes\n", sizeof(struct event));
    return 1;
  }
  return 0;
}

/* A program as libevent's documentation has them: a socket pair, a timer, a
 * signal, and another thread that activates an event. Status 0 when each was
 * seen. */
#include <event2/event.h>
#include <event2/thread.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int read_seen, timer_seen, signal_seen, woken;

static void OnRead(evutil_socket_t fd, short what, void *arg) {
  char byte;
  (void)arg;
  if ((what & EV_READ) && read(fd, &byte, 1) == 1 && byte == 'x') read_seen++;
}

static void OnTimer(evutil_socket_t fd, short what, void *arg) {
  (void)fd;
  (void)arg;
  if (what & EV_TIMEOUT) timer_seen++;
  raise(SIGUSR1);
}

static void OnSignal(evutil_socket_t number, short what, void *arg) {
  (void)arg;
  if (number == SIGUSR1 && (what & EV_SIGNAL)) signal_seen++;
}

static void OnWake(evutil_socket_t fd, short what, void *arg) {
  (void)fd;
  (void)what;
  woken++;
  event_base_loopexit(arg, NULL);
}

static void *Wake(void *event) {
  event_active(event, EV_READ, 1);
  return NULL;
}

static void *WakeLater(void *event) {
  usleep(50000); /* so that the loop really waits */
  return Wake(event);
}

int main(void) {
  struct timeval soon = {0, 1000};
  evutil_socket_t pair[2];
  pthread_t thread;
  struct event_base *base;
  struct event *reader, *timer, *signaled, *wake;

  if (strcmp(event_get_version(), "2.1.12-stable") != 0) return 1;
  if (evthread_use_pthreads() != 0) return 2;
  base = event_base_new();
  if (base == NULL) return 3;
  if (evutil_socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return 4;
  reader = event_new(base, pair[0], EV_READ | EV_PERSIST, OnRead, NULL);
  timer = event_new(base, -1, 0, OnTimer, NULL);
  signaled = evsignal_new(base, SIGUSR1, OnSignal, NULL);
  wake = event_new(base, -1, EV_PERSIST, OnWake, base);
  event_add(reader, NULL);
  event_add(timer, &soon);
  event_add(signaled, NULL);
  if (write(pair[1], "x", 1) != 1) return 5;
  if (pthread_create(&thread, NULL, WakeLater, wake) != 0) return 6;
  event_base_dispatch(base);
  pthread_join(thread, NULL);
  event_free(reader);
  event_free(timer);
  event_free(signaled);
  event_free(wake);
  event_base_free(base);
  libevent_global_shutdown();
  if (read_seen != 1 || timer_seen != 1 || signal_seen != 1 || woken != 1) {
    printf("FAIL: read %d, timer %d, signal %d, woken %d\n", read_seen,
           timer_seen, signal_seen, woken);
    return 7;
  }
  return 0;
}

#include "slm_parallel.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

// One word names the region, its number of parts and the next part to hand out, so that a thread
// takes a part and checks that the region is still the one it saw in one atomic step. A thread
// reads the job's fields only while it holds a part: the region cannot end before that part does.
#define PART_BITS 20
#define PART_MASK ((UINT64_C(1) << PART_BITS) - 1)
#define MOST_THREADS 256

// How long an idle thread watches for work before it sleeps, in nanoseconds.
#define WATCH_TIME 60000

static struct {
  _Alignas(64) _Atomic uint64_t ticket;  // region number, parts, next part
  _Alignas(64) _Atomic int64_t completed;
  _Alignas(64) _Atomic int sleeping;
  _Atomic bool busy;
  int workers;
  pthread_mutex_t lock;
  pthread_cond_t wake;
  void *context;
  slm_part *body;
  int64_t count, size;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static inline void pause_briefly(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

static int64_t nanoseconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static inline bool has_work(uint64_t ticket) {
  return (ticket & PART_MASK) < (ticket >> PART_BITS & PART_MASK);
}

static void take_parts(void) {
  uint64_t ticket = atomic_load(&pool.ticket);
  while (has_work(ticket)) {
    if (!atomic_compare_exchange_weak(&pool.ticket, &ticket, ticket + 1)) continue;
    int64_t begin = (int64_t)(ticket & PART_MASK) * pool.size;
    int64_t end = begin + pool.size < pool.count ? begin + pool.size : pool.count;
    pool.body(pool.context, begin, end);
    atomic_fetch_add(&pool.completed, 1);
    ticket = atomic_load(&pool.ticket);
  }
}

static void sleep_until_work(void) {
  pthread_mutex_lock(&pool.lock);
  atomic_fetch_add(&pool.sleeping, 1);
  while (!has_work(atomic_load(&pool.ticket))) pthread_cond_wait(&pool.wake, &pool.lock);
  atomic_fetch_sub(&pool.sleeping, 1);
  pthread_mutex_unlock(&pool.lock);
}

static void *work(void *unused) {
  (void)unused;
  for (;;) {
    int64_t start = nanoseconds();
    for (int waits = 1; !has_work(atomic_load_explicit(&pool.ticket, memory_order_relaxed)); waits++) {
      pause_briefly();
      if (waits % 32 == 0 && nanoseconds() - start > WATCH_TIME) sleep_until_work();
    }
    take_parts();
  }
  return NULL;
}

static void start_workers(int wanted) {
  if (wanted > MOST_THREADS - 1) wanted = MOST_THREADS - 1;
  while (pool.workers < wanted) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, NULL) != 0) return;
    pthread_detach(thread);
    pool.workers++;
  }
}

void slm_parallel(int threads, int64_t count, int64_t size, void *context, slm_part *body) {
  if (count <= 0) return;
  int64_t parts = (count + size - 1) / size;
  if (parts > (int64_t)PART_MASK) {
    size = (count + PART_MASK - 1) / PART_MASK;
    parts = (count + size - 1) / size;
  }
  if (threads < 2 || parts < 2 || atomic_exchange(&pool.busy, true)) {
    body(context, 0, count);
    return;
  }
  start_workers(threads - 1);
  pool.context = context;
  pool.body = body;
  pool.count = count;
  pool.size = size;
  atomic_store(&pool.completed, 0);
  uint64_t region = (atomic_load(&pool.ticket) >> 2 * PART_BITS) + 1;
  atomic_store(&pool.ticket, region << 2 * PART_BITS | (uint64_t)parts << PART_BITS);
  if (atomic_load(&pool.sleeping) > 0) {
    pthread_mutex_lock(&pool.lock);
    pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.lock);
  }
  take_parts();
  for (int64_t waits = 0; atomic_load(&pool.completed) < parts; waits++) {
    // A thread that lost its processor finishes sooner if this one is offered to it.
    if (waits % 1024 == 1023) sched_yield();
    pause_briefly();
  }
  atomic_store(&pool.busy, false);
}

static pthread_key_t scratch_key;
static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;

struct scratch {
  size_t bytes;
  char padding[64 - sizeof(size_t)];
};

static void make_scratch_key(void) { pthread_key_create(&scratch_key, free); }

void *slm_scratch(size_t bytes) {
  pthread_once(&scratch_once, make_scratch_key);
  struct scratch *kept = pthread_getspecific(scratch_key);
  if (kept == NULL || kept->bytes < bytes) {
    free(kept);
    bytes = (bytes + 4095) / 4096 * 4096;
    kept = aligned_alloc(64, sizeof *kept + bytes);
    if (kept == NULL) abort();
    kept->bytes = bytes;
    pthread_setspecific(scratch_key, kept);
  }
  return kept + 1;
}

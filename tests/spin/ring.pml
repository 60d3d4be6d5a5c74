/*
 * The protocol of the media ring and of its doorbells (ipc/ring/README.md), for Spin.
 *
 * Ring: SIZE cells, one entry each. The writer declares what it overwrites (`oldest`), writes, publishes (`head`);
 * it may die between any two stores, and a successor goes on from the head. A reader checks, reads, checks again,
 * and whatever it delivers must be the entry it asked for, whole. Stores become visible in order (release, acquire).
 *
 * Doorbell: a producer publishes, marks the ring, sets `rung`, and writes the eventfd only if it was not set; the
 * consumer reads the eventfd, clears `rung`, takes the marks, looks at the ring. It must never sleep on news.
 *
 * Readers only read, so one stands for any number; the two parts are verified apart: -DRING, -DDOORBELL.
 *
 * Mistakes to be found, each by one macro. In the ring:
 *   PUBLISH_BEFORE_WRITE  head is stored before the entry
 *   NO_CHECK_AFTER        a reader trusts what it read
 *   RESERVE_AFTER_WRITE   what is overwritten is declared too late
 * In the doorbell:
 *   RING_BEFORE_PUBLISH   the doorbell is rung for what is not published yet
 *   NO_RING_ANYWAY        a successor trusts that its predecessor wrote the eventfd
 *   CLEAR_AFTER_TAKE      rung is cleared after the marks were taken
 *   CLEAR_BEFORE_READ     rung is cleared before the eventfd is read
 */

#define SIZE 3
#define LAST 12  /* entries written in all */
#define DEATHS 3 /* of the writer, at most */

/* A cell holds an entry in two halves, as sequence + 1. */
byte low[SIZE], high[SIZE];
byte head, oldest;
bool marked, rung;
bit eventfd;

inline reserve(next) {
  if
  :: next - oldest >= SIZE -> oldest = next - SIZE + 1
  :: else
  fi
}

inline write(next) {
  low[next % SIZE] = next + 1;
  high[next % SIZE] = next + 1
}

inline ring() {
  marked = true;
  atomic { was = rung; rung = true }; /* an exchange */
  if
  :: !was -> eventfd = 1
  :: else
  fi
}

active proctype Writer() {
  byte next, deaths;
  bool was;
  do
  :: head == LAST && next == LAST -> break
  :: else ->
     {
#ifdef RING
#ifdef PUBLISH_BEFORE_WRITE
       reserve(next);
       head = next + 1;
       write(next);
#else
#ifdef RESERVE_AFTER_WRITE
       write(next);
       reserve(next);
#else
       reserve(next);
       write(next);
#endif
       head = next + 1;
#endif
#endif
#ifdef DOORBELL
#ifdef RING_BEFORE_PUBLISH
       ring();
       head = next + 1;
#else
       head = next + 1;
       ring();
#endif
#endif
       next++
     } unless {
       atomic { deaths < DEATHS -> deaths++; next = head } /* what is beyond was staged only: forgotten */
#ifdef DOORBELL
       marked = true;
       rung = true;
#ifndef NO_RING_ANYWAY
       eventfd = 1
#endif
#endif
     }
  od
}

#ifdef RING
/* A reader at any speed. */
active proctype Reader() {
  byte cursor, first, second;
  do
  :: cursor == LAST -> break
  :: cursor < LAST ->
     (head > cursor);
     if
     :: oldest > cursor -> cursor = oldest /* lapped */
     :: else ->
        first = low[cursor % SIZE];
        second = high[cursor % SIZE];
#ifdef NO_CHECK_AFTER
#define GONE false
#else
#define GONE (oldest > cursor)
#endif
        if
        :: GONE -> skip
        :: else ->
           assert(first == cursor + 1 && second == cursor + 1);
           cursor++
        fi
     fi
  od
}
#endif

#ifdef DOORBELL
/* A worker that sleeps until its doorbell rings. It ends when it has seen all; a wake-up that gets lost leaves it
   asleep for good, which is an invalid end state. */
active proctype Sleeper() {
  byte seen;
  bool take;
  do
  :: seen == LAST -> break
  :: seen < LAST ->
     (eventfd == 1); /* epoll */
#ifdef CLEAR_BEFORE_READ
     rung = false;
     eventfd = 0;
#else
     eventfd = 0;
#ifndef CLEAR_AFTER_TAKE
     rung = false;
#endif
#endif
     atomic { take = marked; marked = false }; /* an exchange */
#ifdef CLEAR_AFTER_TAKE
     rung = false;
#endif
     if
     :: take -> seen = head
     :: else
     fi
  od
}
#endif

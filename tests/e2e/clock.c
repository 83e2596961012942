/*
 * A process whose clock is wrong: preloaded, this adds CLOCK_OFFSET_S seconds to the time of day, and to nothing else.
 * What counts from the start of the machine (timeouts, sleeps) goes on as it is. libfaketime 0.9.10 cannot do that: under
 * it, sleeps until a moment of the monotonic clock, as Python's time.sleep makes them, fail with EINVAL.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t offset_s(void) {
    const char *said = getenv("CLOCK_OFFSET_S");
    return said ? atoll(said) : 0;
}

int clock_gettime(clockid_t which, struct timespec *now) {
    int failed = (int)syscall(SYS_clock_gettime, which, now);
    if (!failed && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE))
        now->tv_sec += offset_s();
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    int failed = (int)syscall(SYS_gettimeofday, now, zone);
    if (!failed)
        now->tv_sec += offset_s();
    return failed;
}

time_t time(time_t *into) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (into)
        *into = now.tv_sec;
    return now.tv_sec;
}

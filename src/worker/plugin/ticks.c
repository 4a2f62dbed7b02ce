/* Two timers of the kernel. Their handlers touch flags and send a frame that was made before. */
#include "worker/plugin/ticks.h"

#include "base/clock.h"
#include "base/error.h"
#include "wire/exits.h"
#include "worker/beat.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

/* Not SIGALRM and SIGPROF, which libraries like to use themselves. */
#define SIGNAL_BEAT SIGRTMAX
#define SIGNAL_CPU (SIGRTMAX - 1)

static struct {
        timer_t beat, cpu;
        volatile sig_atomic_t spent; /* how often the CPU timer came */
} ticks;

static void on_beat(int sig)
{
        int saved = errno;

        (void)sig;
        beat_send();
        errno = saved;
}

static void on_cpu(int sig)
{
        (void)sig;
        if (++ticks.spent > 1)
                _exit(WORKER_EXIT_CPU);
}

static int make_timer(clockid_t clock, int signal, void (*handler)(int), timer_t *out)
{
        struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
        struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = signal};

        event._sigev_un._tid = gettid();
        sigemptyset(&action.sa_mask);
        if (sigaction(signal, &action, NULL) < 0 || timer_create(clock, &event, out) < 0)
                return error_origin(-errno);
        return 0;
}

static struct timespec span(int64_t ns)
{
        return (struct timespec){.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
}

static void set(timer_t timer, int64_t first_ns, int64_t then_ns)
{
        struct itimerspec when = {.it_value = span(first_ns), .it_interval = span(then_ns)};

        timer_settime(timer, 0, &when, NULL);
}

int ticks_start(uint64_t heartbeat_ms)
{
        int64_t interval = (int64_t)heartbeat_ms * NS_PER_MS;
        int r = make_timer(CLOCK_MONOTONIC, SIGNAL_BEAT, on_beat, &ticks.beat);

        if (!r)
                r = make_timer(CLOCK_PROCESS_CPUTIME_ID, SIGNAL_CPU, on_cpu, &ticks.cpu);
        if (!r)
                set(ticks.beat, interval, interval);
        return r;
}

void ticks_limit_cpu(uint64_t max_cpu_ms)
{
        set(ticks.cpu, 0, 0);
        ticks.spent = 0;
        if (max_cpu_ms)
                set(ticks.cpu, (int64_t)max_cpu_ms * NS_PER_MS, NS_PER_S);
}

bool ticks_cpu_is_spent(void)
{
        return ticks.spent > 0;
}

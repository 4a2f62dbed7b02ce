/*
 * One handler for SIGALRM (time: deadline and beat), SIGPROF (CPU time), SIGUSR1 (cancel) and SIGUSR2 (somebody follows);
 * the last two carry the attempt's generation. Every state it needs is here, and whatever it decides is checked against the
 * attempt that runs now: a signal that comes late finds nothing to do.
 */
#include "worker/js/deadline.h"

#include "base/clock.h"
#include "base/error.h"
#include "wire/codec.h"
#include "wire/exits.h"
#include "worker/beat.h"
#include "worker/live.h"
#include <duktape.h>
#include <errno.h>
#include <link.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

/* How long to wait for a safe place, and how often before the worker gives itself up: about a second in all.
 */
enum { RETRY_NS = 30000, RETRIES_MAX = 10000 };

static struct {
        uintptr_t text, text_end; /* the engine's code */
        int64_t beat_interval;
} fixed;

static struct {
        volatile int64_t next_beat, armed_at; /* monotonic; armed_at: when SIGALRM comes */
        volatile uint32_t handled;            /* how often the handler ran */
        volatile sig_atomic_t active;         /* a task runs and `landing` may be jumped to */
        volatile sig_atomic_t verdict;        /* enum wire_code, once a limit was met */
        volatile int64_t deadline, cpu_deadline;
        volatile uint32_t generation, cancelled;
        volatile bool has_cancelled;
        volatile int retries;
        sigjmp_buf *volatile landing;
} now_running;

/* ---- where the engine is ---- */

struct search {
        uintptr_t wanted, begin, end;
};

static int look_into(struct dl_phdr_info *info, size_t size, void *data)
{
        struct search *s = data;

        (void)size;
        for (int i = 0; i < info->dlpi_phnum; i++) {
                uintptr_t begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
                uintptr_t end = begin + info->dlpi_phdr[i].p_memsz;

                if (info->dlpi_phdr[i].p_type == PT_LOAD && s->wanted >= begin && s->wanted < end) {
                        s->begin = begin;
                        s->end = end;
                        return 1;
                }
        }
        return 0;
}

int deadline_prepare(void)
{
        struct search s = {.wanted = (uintptr_t)duk_create_heap};
        uintptr_t own = (uintptr_t)deadline_prepare;

        if (!dl_iterate_phdr(look_into, &s) || (own >= s.begin && own < s.end))
                return error_origin(-ENOTSUP);
        fixed.text = s.begin;
        fixed.text_end = s.end;
        return 0;
}

/* ---- timers ---- */

static struct timeval interval_until(int64_t ns)
{
        int64_t us = ns / NS_PER_US;

        if (us < 1)
                us = 1;
        return (struct timeval){.tv_sec = us / 1000000, .tv_usec = us % 1000000};
}

static int64_t earlier(int64_t a, int64_t b)
{
        return a < b ? a : b;
}

static void arm(int64_t at, int64_t now)
{
        struct itimerval timer = {.it_value = interval_until(at - now)};

        now_running.armed_at = at;
        setitimer(ITIMER_REAL, &timer, NULL);
}

/* For all but the handler. Should it come by between our choice and the setting, it may have set the timer
 * for sooner, to look again at a task that it wants to stop: then it is called once more. */
static void arm_outside(int64_t at)
{
        uint32_t handled = now_running.handled;
        int64_t now = clock_now();

        arm(at, now);
        if (handled != now_running.handled)
                arm(now, now);
}

static void arm_cpu(int64_t ns)
{
        struct itimerval timer = {.it_value = interval_until(ns)};

        setitimer(ITIMER_PROF, &timer, NULL);
}

/* ---- the handler ---- */

static void send_beat_if_due(int64_t now)
{
        if (now < now_running.next_beat)
                return;
        beat_send();
        now_running.next_beat = now + fixed.beat_interval;
}

static void note_cancel(uint32_t generation)
{
        now_running.cancelled = generation;
        now_running.has_cancelled = true;
}

static enum wire_code judge(int64_t now)
{
        if (now_running.has_cancelled && now_running.cancelled == now_running.generation)
                return WIRE_CANCELLED;
        if (now >= now_running.deadline)
                return WIRE_TIMEOUT;
        if (now_running.cpu_deadline < INT64_MAX) {
                int64_t left = now_running.cpu_deadline - clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);

                if (left <= 0)
                        return WIRE_CPU_LIMIT;
                arm_cpu(left);
        }
        return WIRE_OK;
}

static bool in_engine(const ucontext_t *uc)
{
#if defined(__x86_64__)
        uintptr_t pc = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
        uintptr_t pc = uc->uc_mcontext.pc;
#else
#error "the program counter's place in a signal's context must be named for this machine"
#endif

        return pc >= fixed.text && pc < fixed.text_end;
}

/* Jumps if a limit was met and this is a safe place. Comes back otherwise, with the time to look again. */
static int64_t stop_if_due(int64_t now, const ucontext_t *uc)
{
        if (!now_running.verdict)
                now_running.verdict = judge(now);
        if (!now_running.verdict)
                return now_running.deadline;
        if (in_engine(uc)) {
                now_running.active = 0;
                siglongjmp(*now_running.landing, 1);
        }
        if (++now_running.retries > RETRIES_MAX)
                _exit(WORKER_EXIT_STUCK);
        return now + RETRY_NS;
}

/* The lines that somebody waits for are sent from here, lest a script that is silent now keeps them back. In the engine's own
 * code no line is half kept, no frame half written and no lock of the C library held. */
static int64_t catch_up(int64_t now, const ucontext_t *uc)
{
        if (!live_pending())
                return INT64_MAX;
        if (beat_is_held() || !in_engine(uc))
                return now + RETRY_NS;
        live_send();
        return INT64_MAX;
}

static void note_word(int sig, const siginfo_t *info)
{
        if (info->si_code != SI_QUEUE)
                return;
        if (sig == SIGUSR1)
                note_cancel((uint32_t)info->si_value.sival_int);
        if (sig == SIGUSR2)
                live_ask((uint32_t)info->si_value.sival_int);
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
        int saved = errno;
        int64_t now = clock_now(), next = INT64_MAX;

        now_running.handled++;
        note_word(sig, info);
        send_beat_if_due(now);
        if (now_running.active)
                next = earlier(stop_if_due(now, context), catch_up(now, context));
        arm(earlier(next, now_running.next_beat), now);
        errno = saved;
}

/* ---- for the worker ---- */

static void fill_limit_signals(sigset_t *set)
{
        sigemptyset(set);
        sigaddset(set, SIGALRM);
        sigaddset(set, SIGPROF);
        sigaddset(set, SIGUSR1);
        sigaddset(set, SIGUSR2);
}

int deadline_start(int fd, uint64_t heartbeat_ms)
{
        struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
        int r = beat_open(fd);

        if (r < 0)
                return r;
        fixed.beat_interval = (int64_t)heartbeat_ms * NS_PER_MS;
        fill_limit_signals(&action.sa_mask);
        if (sigaction(SIGALRM, &action, NULL) || sigaction(SIGPROF, &action, NULL) ||
                sigaction(SIGUSR1, &action, NULL) || sigaction(SIGUSR2, &action, NULL))
                return error_origin(-errno);
        now_running.next_beat = clock_now() + fixed.beat_interval;
        sigprocmask(SIG_UNBLOCK, &action.sa_mask, NULL);
        arm_outside(now_running.next_beat);
        return 0;
}

void deadline_begin(sigjmp_buf *landing, const struct deadline_limits *l)
{
        int64_t cpu_ns = (int64_t)l->max_cpu_ms * NS_PER_MS;

        now_running.landing = landing;
        now_running.verdict = WIRE_OK;
        now_running.retries = 0;
        now_running.generation = l->generation;
        now_running.deadline = l->timeout_ms ? l->started_ns + (int64_t)l->timeout_ms * NS_PER_MS : INT64_MAX;
        now_running.cpu_deadline = cpu_ns ? clock_read_ns(CLOCK_PROCESS_CPUTIME_ID) + cpu_ns : INT64_MAX;
        now_running.active = 1;
        /* The timer is left alone when it comes early enough anyway: the handler sets it on. A cancel that
         * came before its task is acted upon at once. */
        if (now_running.has_cancelled && now_running.cancelled == l->generation)
                arm_outside(l->started_ns);
        else if (now_running.deadline < now_running.armed_at)
                arm_outside(earlier(now_running.deadline, now_running.next_beat));
        if (cpu_ns)
                arm_cpu(cpu_ns);
}

void deadline_end(void)
{
        now_running.active = 0;
}

void deadline_leave_if_due(void)
{
        sigset_t signals;

        if (!now_running.active || !now_running.verdict)
                return;
        /* As they are in the handler, which is where the landing expects to come from. */
        fill_limit_signals(&signals);
        sigprocmask(SIG_BLOCK, &signals, NULL);
        now_running.active = 0;
        siglongjmp(*now_running.landing, 1);
}

enum wire_code deadline_land(void)
{
        sigset_t signals;

        fill_limit_signals(&signals);
        /* The jump came out of the handler: its signals are still blocked, and no timer is set. */
        now_running.armed_at = INT64_MAX;
        sigprocmask(SIG_UNBLOCK, &signals, NULL);
        arm_outside(now_running.next_beat);
        return (enum wire_code)now_running.verdict;
}

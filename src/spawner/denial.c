/* Whatever happens in the handler must need no memory and no lock: the task's code was interrupted anywhere.
 */
#include "spawner/denial.h"

#include "base/buf.h"
#include "base/error.h"
#include "sandbox/filter.h"
#include "wire/codec.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FRAME_BYTES = 512 };

static struct {
        struct buf frame; /* with room for all that is said */
        int channel;
} denial;

static void say(const char *name)
{
        struct wire_worker_failed failed = {0};

        WIRE_SET(&failed, worker_failed, message, wire_str(name));
        if (!wire_encode(&denial.frame, WIRE_MESSAGE(worker_failed), 0, &failed))
                (void)!send(denial.channel, buf_head(&denial.frame), buf_size(&denial.frame),
                        MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void on_denied(int sig, siginfo_t *info, void *context)
{
        char name[FILTER_CALL_NAME];

        (void)sig;
        (void)context;
        filter_name_call(info->si_arch, info->si_syscall, name);
        say(name);
        for (;;)
                syscall(SYS_setns, -1, 0);
}

int denial_prepare(int channel_fd)
{
        struct sigaction action = {.sa_sigaction = on_denied, .sa_flags = SA_SIGINFO | SA_ONSTACK};
        int r;

        denial.channel = channel_fd;
        buf_init(&denial.frame, 0);
        r = buf_reserve(&denial.frame, FRAME_BYTES);
        if (r < 0)
                return r;
        /* Nothing comes between: another handler would find a stack that is not its own. */
        sigfillset(&action.sa_mask);
        return sigaction(SIGSYS, &action, NULL) < 0 ? error_origin(-errno) : 0;
}

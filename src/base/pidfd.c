/* One system call, and its ancestors. */
#include "base/pidfd.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

int pidfd_signal(int pidfd, pid_t pid, int signal)
{
        if (!syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0))
                return 0;
        if (errno != ENOSYS)
                return -errno;
        return kill(pid, signal) < 0 ? -errno : 0;
}

int pidfd_queue(int pidfd, pid_t pid, int signal, int value)
{
        siginfo_t info = {.si_signo = signal, .si_code = SI_QUEUE};

        info.si_pid = getpid();
        info.si_uid = getuid();
        info.si_value.sival_int = value;
        if (!syscall(SYS_pidfd_send_signal, pidfd, signal, &info, 0))
                return 0;
        if (errno != ENOSYS)
                return -errno;
        return sigqueue(pid, signal, info.si_value) < 0 ? -errno : 0;
}

/* What a locked-down worker of the class http can still do: reach the network, look names up, and nothing else. */
#include "nursery.h"
#include "leave_out.h"
#include "sandbox/instrument.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static int64_t result_of(long r)
{
        return r < 0 ? -errno : 0;
}

/* ---- files ---- */

static int64_t read_hosts(void)
{
        char text[16];
        int fd = open("/etc/hosts", O_RDONLY | O_CLOEXEC);

        return result_of(fd < 0 ? fd : read(fd, text, sizeof(text)));
}

static int64_t read_passwd(void)
{
        return result_of(open("/etc/passwd", O_RDONLY));
}

static int64_t read_through_a_directory(void)
{
        return result_of(open("/etc", O_RDONLY | O_DIRECTORY));
}

static int64_t write_hosts(void)
{
        return result_of(open("/etc/hosts", O_WRONLY));
}

static int64_t append_hosts(void)
{
        return result_of(open("/etc/hosts", O_RDWR | O_APPEND));
}

static int64_t create(void)
{
        return result_of(open("/tmp/poppo-escaped", O_CREAT | O_RDONLY, 0600));
}

static int64_t hold_a_path(void)
{
        return result_of(open("/etc/passwd", O_PATH));
}

static int64_t look_for_a_file(void)
{
        return result_of(access("/etc/passwd", F_OK));
}

/* ---- sockets ---- */

static int64_t tcp(void)
{
        return result_of(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
}

static int64_t udp(void)
{
        return result_of(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
}

static int64_t unix_socket(void)
{
        return result_of(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int64_t netlink(void)
{
        return result_of(socket(AF_NETLINK, SOCK_RAW, 0));
}

static int64_t raw_socket(void)
{
        return result_of(socket(AF_INET, SOCK_RAW, IPPROTO_TCP));
}

static int64_t ping_socket(void)
{
        return result_of(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
}

static int64_t multipath(void)
{
        return result_of(socket(AF_INET, SOCK_STREAM, 262 /* IPPROTO_MPTCP */));
}

static int64_t packet_socket(void)
{
        return result_of(socket(AF_PACKET, SOCK_DGRAM, 0));
}

static int64_t virtual_machine_socket(void)
{
        return result_of(socket(AF_VSOCK, SOCK_STREAM, 0));
}

static int64_t wait_for_callers(void)
{
        struct sockaddr_in any = {.sin_family = AF_INET};
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        return result_of(bind(fd, (const struct sockaddr *)&any, sizeof(any)));
}

static int64_t listen_anyway(void)
{
        return result_of(listen(socket(AF_INET, SOCK_STREAM, 0), 1));
}

static int64_t accept_callers(void)
{
        return result_of(accept(socket(AF_INET, SOCK_STREAM, 0), NULL, NULL));
}

static int64_t connect_by_path(void)
{
        struct sockaddr path = {.sa_family = AF_UNIX, .sa_data = "/dev/log"};

        return result_of(connect(socket(AF_INET, SOCK_STREAM, 0), &path, sizeof(path)));
}

static int64_t stream_pair(void)
{
        int pair[2];

        return result_of(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
}

/* Its ends could be sent to any path. */
static int64_t datagram_pair(void)
{
        int pair[2];

        return result_of(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
}

static int64_t no_delay(void)
{
        int on = 1;

        return result_of(setsockopt(socket(AF_INET, SOCK_STREAM, 0), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
}

static int64_t load_a_program(void)
{
        struct sock_filter code = {.code = BPF_RET | BPF_K};
        struct sock_fprog program = {1, &code};

        return result_of(setsockopt(socket(AF_INET, SOCK_DGRAM, 0), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)));
}

/* ---- the rest ---- */

static void *nothing(void *data)
{
        return data;
}

static int64_t make_a_thread(void)
{
        pthread_t thread;
        int r = pthread_create(&thread, NULL, nothing, NULL);

        return r ? -r : -pthread_join(thread, NULL);
}

static void *open_passwd(void *data)
{
        *(int64_t *)data = read_passwd();
        return NULL;
}

static int64_t read_passwd_in_a_thread(void)
{
        pthread_t thread;
        int64_t result = 0;

        if (!pthread_create(&thread, NULL, open_passwd, &result))
                pthread_join(thread, NULL);
        return result;
}

/* Through the files, without a name server. */
static int64_t look_a_name_up(void)
{
        struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list = NULL;
        int r = getaddrinfo("localhost", "80", &hints, &list);

        if (!r)
                freeaddrinfo(list);
        return r;
}

static int64_t fork_a_child(void)
{
        return result_of(syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0));
}

static int64_t enter_a_namespace(void)
{
        return result_of(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, 0));
}

static int64_t clone3(void)
{
        return result_of(syscall(SYS_clone3, NULL, 0));
}

static int64_t execute(void)
{
        char *const argv[] = {(char *)"/bin/true", NULL};

        return result_of(execve(argv[0], argv, argv + 1));
}

static int64_t signal_others(void)
{
        return result_of(kill(-1, 0));
}

static int64_t signal_by_a_socket(void)
{
        return result_of(fcntl(socket(AF_INET, SOCK_STREAM, 0), F_SETOWN, getppid()));
}

static int64_t type_into_a_terminal(void)
{
        return result_of(ioctl(0, TIOCSTI, "x"));
}

static int64_t map_code(void)
{
        void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        return at == MAP_FAILED ? -errno : 0;
}

static int64_t trace(void)
{
        return result_of(syscall(SYS_ptrace, 16 /* PTRACE_ATTACH */, getppid(), 0, 0));
}

static int64_t io_uring(void)
{
        return result_of(syscall(SYS_io_uring_setup, 1, NULL));
}

static int64_t become_dumpable(void)
{
        return result_of(prctl(PR_SET_DUMPABLE, 1));
}

static int64_t raise_a_limit(void)
{
        struct rlimit most = {RLIM_INFINITY, RLIM_INFINITY};

        return result_of(setrlimit(RLIMIT_NOFILE, &most));
}

enum { DONE = 0, KILLED = 1 };

/* What is tried, and its end: DONE, KILLED by SIGSYS, or an errno. */
static const struct attempt {
        const char *name;
        int64_t (*bid)(void);
        int end;
} attempts[] = {
        {"read hosts", read_hosts, DONE},
        {"read passwd", read_passwd, -EACCES},
        {"read /etc", read_through_a_directory, -EACCES},
        {"write hosts", write_hosts, -EACCES},
        {"append hosts", append_hosts, -EACCES},
        {"create", create, -EACCES},
        {"O_PATH", hold_a_path, -EACCES},
        {"access", look_for_a_file, -EACCES},
        {"tcp", tcp, DONE},
        {"udp", udp, DONE},
        {"unix", unix_socket, -EACCES},
        {"netlink", netlink, -EACCES},
        {"raw", raw_socket, KILLED},
        {"ping", ping_socket, KILLED},
        {"mptcp", multipath, KILLED},
        {"packet", packet_socket, KILLED},
        {"vsock", virtual_machine_socket, KILLED},
        {"bind", wait_for_callers, -EACCES},
        {"listen", listen_anyway, -EACCES},
        {"accept", accept_callers, KILLED},
        {"connect by path", connect_by_path, -EAFNOSUPPORT},
        {"stream pair", stream_pair, DONE},
        {"datagram pair", datagram_pair, KILLED},
        {"TCP_NODELAY", no_delay, DONE},
        {"SO_ATTACH_FILTER", load_a_program, KILLED},
        {"thread", make_a_thread, DONE},
        {"read passwd in a thread", read_passwd_in_a_thread, -EACCES},
        {"getaddrinfo", look_a_name_up, DONE},
        {"fork", fork_a_child, KILLED},
        {"CLONE_NEWUSER", enter_a_namespace, KILLED},
        {"clone3", clone3, -ENOSYS},
        {"execve", execute, KILLED},
        {"kill", signal_others, KILLED},
        {"F_SETOWN", signal_by_a_socket, KILLED},
        {"TIOCSTI", type_into_a_terminal, KILLED},
        {"mmap code", map_code, KILLED},
        {"ptrace", trace, KILLED},
        {"io_uring", io_uring, KILLED},
        {"become dumpable", become_dumpable, KILLED},
        {"setrlimit", raise_a_limit, KILLED},
};

enum { N_ATTEMPTS = sizeof(attempts) / sizeof(attempts[0]) };

static int64_t (*bids[N_ATTEMPTS])(void);
static struct nursery nursery;

static int open_nursery(void **state)
{
        struct wire_spawn_setup setup = nursery_setup();

        (void)state;
        for (int i = 0; i < N_ATTEMPTS; i++)
                bids[i] = attempts[i].bid;
        nursery_open(&nursery, bids, &setup);
        return 0;
}

static int close_nursery(void **state)
{
        (void)state;
        return nursery_close(&nursery);
}

static void attempt_ends_as_said(const struct attempt *a, uint8_t bid)
{
        struct infant w;
        int64_t result = 0;
        bool answered;
        int status;

        infant_spawn_class(&nursery, &w, CLASS_WORD_HTTP);
        answered = infant_bid(&w, bid, &result);
        status = infant_reap(&w);
        if (a->end != KILLED && (!answered || result != a->end))
                fail_msg("%s: answered %d with %lld, status 0x%x", a->name, answered, (long long)result, status);
        /* What came over the channel then is its last word. */
        if (a->end == KILLED && (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS))
                fail_msg("%s: answered %d with %lld, status 0x%x", a->name, answered, (long long)result, status);
}

static void the_network_is_there_and_nothing_else(void **state)
{
        (void)state;
        if (instrumented())
                return leave_out("sanitizers and valgrind keep layers open");
        for (int i = 0; i < N_ATTEMPTS; i++)
                attempt_ends_as_said(&attempts[i], (uint8_t)i);
}

static void every_layer_is_enforced(void **state)
{
        static const char *const always[] = {"session", "environment", "parentDeath", "notDumpable", "noNewPrivs"};
        static const char *const unless_instrumented[] = {"closedFds", "rlimits", "landlock", "seccomp"};
        struct infant w;

        (void)state;
        infant_spawn_class(&nursery, &w, CLASS_WORD_HTTP);
        for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
                assert_true(wire_str_is(infant_layer(&w, always[i]), "enforced"));
        for (size_t i = 0; i < sizeof(unless_instrumented) / sizeof(unless_instrumented[0]); i++)
                if (wire_str_is(infant_layer(&w, unless_instrumented[i]), "enforced") == instrumented())
                        fail_msg("%s", unless_instrumented[i]);
        infant_reap(&w);
}

static void limits_read_back_from_outside(void **state)
{
        static const int none[] = {RLIMIT_CORE, RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE};
        struct rlimit now;
        struct infant w;

        (void)state;
        if (RUNNING_ON_VALGRIND)
                return leave_out("valgrind keeps some limits to itself");
        infant_spawn_class(&nursery, &w, CLASS_WORD_HTTP);
        for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
                now = infant_limit(&w, none[i]);
                assert_int_equal(now.rlim_max, 0);
        }
        now = infant_limit(&w, RLIMIT_NOFILE);
        assert_in_range(now.rlim_max, 256, 8192);
        if (!instrumented()) {
                now = infant_limit(&w, RLIMIT_FSIZE);
                assert_int_equal(now.rlim_max, 0);
                now = infant_limit(&w, RLIMIT_AS);
                assert_in_range(now.rlim_max, 1ULL << 30, 8ULL << 30);
        }
        infant_reap(&w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_layer_is_enforced),
                cmocka_unit_test(the_network_is_there_and_nothing_else),
                cmocka_unit_test(limits_read_back_from_outside),
        };

        return cmocka_run_group_tests_name("lockdown of http", tests, open_nursery, close_nursery);
}

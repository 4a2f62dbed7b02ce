/*
 * Native code that means harm: {type, how, pids?, path?, needle?} names what it tries. Built twice, as a
 * plugin and, with PROGRAM, as a program that speaks the worker protocol; both answer with a list of what
 * their calls returned, or -errno.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <msgpack.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#ifndef PROGRAM
#include <poppo/plugin.h>
#endif

enum {
        CHANNEL = 3,
        PIDS_MAX = 16,
        RESULTS_MAX = 64,
        NEEDLE_MAX = 64,
        PTRACE_SEIZE_REQUEST = 0x4206,
        MASK = 0x5a
};

struct attack {
        pid_t pids[PIDS_MAX];
        size_t n_pids;
        char path[256];
        unsigned char needle[NEEDLE_MAX]; /* masked, so that looking for it does not find itself */
        size_t needle_len;
        int64_t results[RESULTS_MAX];
        size_t n_results;
};

static void note(struct attack *a, long r)
{
        if (a->n_results < RESULTS_MAX)
                a->results[a->n_results++] = r < 0 ? -errno : r;
}

/* ---- others' memory ---- */

static char stolen[16];

static void read_memory(struct attack *a, pid_t pid)
{
        struct iovec here = {stolen, sizeof(stolen)}, there = {(void *)read_memory, sizeof(stolen)};

        note(a, process_vm_readv(pid, &here, 1, &there, 1, 0));
}

static void write_memory(struct attack *a, pid_t pid)
{
        struct iovec here = {stolen, 1}, there = {stolen, 1};

        note(a, process_vm_writev(pid, &here, 1, &there, 1, 0));
}

static void open_of(struct attack *a, pid_t pid, const char *name, int flags)
{
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
        note(a, open(path, flags | O_CLOEXEC));
}

static void open_proc(struct attack *a, pid_t pid)
{
        static const char *const names[] = {"mem", "maps", "environ", "fd/3", "root/etc/shadow", "cmdline"};

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                open_of(a, pid, names[i], O_RDONLY);
        open_of(a, pid, "mem", O_RDWR);
        open_of(a, pid, "oom_score_adj", O_WRONLY);
}

static void trace(struct attack *a, pid_t pid)
{
        note(a, syscall(SYS_ptrace, PTRACE_SEIZE_REQUEST, pid, 0, 0));
}

/* ---- signals and more of that kind ---- */

static void send_kill(struct attack *a, pid_t pid)
{
        note(a, kill(pid, SIGKILL));
}

static void send_tkill(struct attack *a, pid_t pid)
{
        note(a, syscall(SYS_tgkill, pid, pid, SIGKILL));
}

static void queue_signal(struct attack *a, pid_t pid)
{
        siginfo_t info = {.si_signo = SIGKILL, .si_code = SI_QUEUE};

        note(a, syscall(SYS_rt_sigqueueinfo, pid, SIGKILL, &info));
}

static void take_pidfd(struct attack *a, pid_t pid)
{
        note(a, syscall(SYS_pidfd_open, pid, 0));
}

static void set_limit(struct attack *a, pid_t pid)
{
        const struct rlimit none = {0};

        note(a, prlimit(pid, RLIMIT_CPU, &none, NULL));
}

static void slow_down(struct attack *a, pid_t pid)
{
        note(a, setpriority(PRIO_PROCESS, (id_t)pid, 19));
}

static void pin(struct attack *a, pid_t pid)
{
        cpu_set_t first;

        CPU_ZERO(&first);
        CPU_SET(0, &first);
        note(a, sched_setaffinity(pid, sizeof(first), &first));
}

/* ---- files and sockets ---- */

static void open_path(struct attack *a)
{
        note(a, open(a->path, O_RDONLY | O_CLOEXEC));
        note(a, open(a->path, O_RDWR | O_APPEND | O_CLOEXEC));
}

static void remove_path(struct attack *a)
{
        note(a, unlink(a->path));
}

static void connect_path(struct attack *a)
{
        struct sockaddr_un at = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);

        memcpy(at.sun_path, a->path, sizeof(at.sun_path) - 1);
        note(a, fd < 0 ? fd : connect(fd, (struct sockaddr *)&at, sizeof(at)));
        if (fd >= 0)
                close(fd);
}

/* Of the descriptors that it was born with: none but the channel is good for anything. */
static void use_descriptors(struct attack *a)
{
        for (int fd = 4; fd < 512; fd++)
                if (write(fd, NULL, 0) == 0 || errno != EBADF)
                        note(a, fd);
        if (!a->n_results) {
                errno = EBADF;
                note(a, -1);
        }
}

/* ---- privileges ---- */

static void become_root(struct attack *a)
{
        note(a, setuid(0));
        note(a, setgid(0));
        note(a, syscall(SYS_setresuid, 0, 0, 0));
}

static void take_capabilities(struct attack *a)
{
        struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct all[2] = {{~0u, ~0u, ~0u}, {~0u, ~0u, ~0u}};

        note(a, syscall(SYS_capset, &head, all));
}

static void forget_no_new_privs(struct attack *a)
{
        note(a, prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
}

static void make_namespace(struct attack *a)
{
        note(a, unshare(CLONE_NEWUSER));
}

static void leave_root(struct attack *a)
{
        note(a, chroot("/task"));
}

static void call_x32(struct attack *a)
{
        note(a, syscall(0x40000000L + SYS_getpid));
}

static void call_unknown(struct attack *a)
{
        note(a, syscall(4711));
}

static void call_given_up(struct attack *a)
{
        note(a, syscall(SYS_io_uring_setup, 1, NULL));
}

static void call_without_a_row(struct attack *a)
{
        note(a, syscall(SYS_fsopen, "nothing", 0));
}

/* ---- staying ---- */

static void stay(struct attack *a)
{
        pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0);

        if (!pid) {
                for (int s = 1; s < NSIG; s++)
                        signal(s, SIG_IGN);
                setsid();
                close(CHANNEL);
                for (;;)
                        pause();
        }
        note(a, pid);
}

/* ---- what is left of others in its own memory ---- */

enum { PAGE = 4096 };

/* The kernel reads the value before it finds that there is no such timer. */
static bool is_readable(uintptr_t page)
{
        return syscall(SYS_timer_settime, 0x7ffffff, 0, page, NULL) == 0 || errno != EFAULT;
}

static bool matches(const struct attack *a, const volatile unsigned char *at)
{
        for (size_t i = 0; i < a->needle_len; i++)
                if ((at[i] ^ MASK) != a->needle[i])
                        return false;
        return true;
}

/* Of a run of pages. The first byte is looked for by hand as well: a copy of it would be one more to be
 * found. */
static int64_t count_in(const struct attack *a, uintptr_t from, uintptr_t to)
{
        int64_t n = 0;

        for (uintptr_t at = from; at + a->needle_len <= to; at++)
                n += (*(const volatile unsigned char *)at ^ MASK) == a->needle[0] &&
                     matches(a, (const void *)at);
        return n;
}

/* Around what is known to be somewhere: stack, heap, this code, libc, mappings, and the arena of JavaScript
 * worlds. */
static void search(struct attack *a)
{
        enum { ANCHORS = 6 };
        const uintptr_t around = (uintptr_t)64 << 20;
        void *mapped = malloc(1 << 20), *small = malloc(64);
        uintptr_t anchors[ANCHORS] = {(uintptr_t)&around, (uintptr_t)small, (uintptr_t)stolen,
                (uintptr_t)&errno, (uintptr_t)mapped, (uintptr_t)0x200000000000};
        int64_t found = 0, pages = 0;

        for (size_t i = 0; i < ANCHORS; i++) {
                uintptr_t middle = anchors[i] & ~(uintptr_t)(PAGE - 1), run = 0;

                for (uintptr_t page = middle - around; page <= middle + around; page += PAGE) {
                        bool readable = page < middle + around && is_readable(page);

                        pages += readable;
                        if (readable && !run)
                                run = page;
                        if (!readable && run)
                                found += count_in(a, run, page);
                        run = readable ? run : 0;
                }
        }
        free(mapped);
        free(small);
        note(a, found);
        note(a, pages);
}

/* Keeps it unmasked, as a handler might: so that a search that should find something does. */
static unsigned char kept[NEEDLE_MAX];

static void keep_needle(struct attack *a)
{
        for (size_t i = 0; i < a->needle_len; i++)
                kept[i] = a->needle[i] ^ MASK;
        note(a, (long)a->needle_len);
}

/* ---- by name ---- */

static const struct {
        const char *name;
        void (*on_each)(struct attack *a, pid_t pid);
        void (*once)(struct attack *a);
} attacks[] = {
        {"read-memory", read_memory},
        {"write-memory", write_memory},
        {"proc", open_proc},
        {"trace", trace},
        {"kill", send_kill},
        {"tkill", send_tkill},
        {"queue", queue_signal},
        {"pidfd", take_pidfd},
        {"limit", set_limit},
        {"slow", slow_down},
        {"pin", pin},
        {.name = "open", .once = open_path},
        {.name = "remove", .once = remove_path},
        {.name = "connect", .once = connect_path},
        {.name = "descriptors", .once = use_descriptors},
        {.name = "root", .once = become_root},
        {.name = "capabilities", .once = take_capabilities},
        {.name = "privileges", .once = forget_no_new_privs},
        {.name = "namespace", .once = make_namespace},
        {.name = "chroot", .once = leave_root},
        {.name = "x32", .once = call_x32},
        {.name = "unknown", .once = call_unknown},
        {.name = "given-up", .once = call_given_up},
        {.name = "without-a-row", .once = call_without_a_row},
        {.name = "stay", .once = stay},
        {.name = "search", .once = search},
        {.name = "keep", .once = keep_needle},
};

static bool is_word(const msgpack_object *o, const char *word)
{
        return o->type == MSGPACK_OBJECT_STR && o->via.str.size == strlen(word) &&
               !memcmp(o->via.str.ptr, word, o->via.str.size);
}

static void perform(struct attack *a, const msgpack_object *how)
{
        for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
                if (!is_word(how, attacks[i].name))
                        continue;
                if (attacks[i].once)
                        attacks[i].once(a);
                for (size_t k = 0; attacks[i].on_each && k < a->n_pids; k++)
                        attacks[i].on_each(a, a->pids[k]);
        }
}

static void read_pids(struct attack *a, const msgpack_object_array *list)
{
        for (uint32_t i = 0; i < list->size && i < PIDS_MAX; i++)
                a->pids[a->n_pids++] = (pid_t)list->ptr[i].via.u64;
}

static const msgpack_object *read_attack(struct attack *a, const msgpack_object *task)
{
        const msgpack_object *how = task;

        for (uint32_t i = 0; i < task->via.map.size; i++) {
                const msgpack_object_kv *entry = &task->via.map.ptr[i];

                if (is_word(&entry->key, "how"))
                        how = &entry->val;
                if (is_word(&entry->key, "pids"))
                        read_pids(a, &entry->val.via.array);
                if (is_word(&entry->key, "path") && entry->val.via.str.size < sizeof(a->path))
                        memcpy(a->path, entry->val.via.str.ptr, entry->val.via.str.size);
                if (is_word(&entry->key, "needle") && entry->val.via.bin.size <= NEEDLE_MAX)
                        memcpy(a->needle, entry->val.via.bin.ptr, a->needle_len = entry->val.via.bin.size);
        }
        return how;
}

static void pack_results(const struct attack *a, msgpack_packer *p)
{
        msgpack_pack_array(p, a->n_results);
        for (size_t i = 0; i < a->n_results; i++)
                msgpack_pack_int64(p, a->results[i]);
}

static struct attack attack;

#ifdef PROGRAM

static void write_frame(const msgpack_sbuffer *body)
{
        unsigned char head[4] = {(unsigned char)(body->size >> 24), (unsigned char)(body->size >> 16),
                (unsigned char)(body->size >> 8), (unsigned char)body->size};

        if (write(CHANNEL, head, sizeof(head)) != sizeof(head) ||
                write(CHANNEL, body->data, body->size) != (ssize_t)body->size)
                _exit(1);
}

static void pack_word(msgpack_packer *p, const char *word)
{
        msgpack_pack_str(p, strlen(word));
        msgpack_pack_str_body(p, word, strlen(word));
}

static void say_ready(void)
{
        msgpack_sbuffer body;
        msgpack_packer p;

        msgpack_sbuffer_init(&body);
        msgpack_packer_init(&p, &body, msgpack_sbuffer_write);
        msgpack_pack_map(&p, 1);
        pack_word(&p, "op");
        pack_word(&p, "ready");
        write_frame(&body);
        msgpack_sbuffer_destroy(&body);
}

static void answer(uint64_t seq)
{
        msgpack_sbuffer body;
        msgpack_packer p;

        msgpack_sbuffer_init(&body);
        msgpack_packer_init(&p, &body, msgpack_sbuffer_write);
        msgpack_pack_map(&p, 3);
        pack_word(&p, "seq");
        msgpack_pack_uint64(&p, seq);
        pack_word(&p, "ok");
        msgpack_pack_true(&p);
        pack_word(&p, "value");
        pack_results(&attack, &p);
        write_frame(&body);
        msgpack_sbuffer_destroy(&body);
}

static void read_whole(void *to, size_t n)
{
        for (size_t done = 0; done < n;) {
                ssize_t got = read(CHANNEL, (char *)to + done, n - done);

                if (got <= 0)
                        _exit(0);
                done += (size_t)got;
        }
}

static void serve(const msgpack_object *message)
{
        const msgpack_object *task = NULL;
        uint64_t seq = 0;
        bool run = false;

        for (uint32_t i = 0; i < message->via.map.size; i++) {
                const msgpack_object_kv *entry = &message->via.map.ptr[i];

                run = run || (is_word(&entry->key, "op") && is_word(&entry->val, "run"));
                if (is_word(&entry->key, "seq"))
                        seq = entry->val.via.u64;
                if (is_word(&entry->key, "task"))
                        task = &entry->val;
        }
        if (!run || !task)
                return;
        attack = (struct attack){0};
        perform(&attack, read_attack(&attack, task));
        answer(seq);
}

int main(void)
{
        say_ready();
        for (;;) {
                unsigned char head[4];
                msgpack_unpacked message;
                uint32_t len;
                char *body;

                read_whole(head, sizeof(head));
                len = (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];
                body = malloc(len);
                if (!body)
                        return 1;
                read_whole(body, len);
                msgpack_unpacked_init(&message);
                if (msgpack_unpack_next(&message, body, len, NULL) == MSGPACK_UNPACK_SUCCESS)
                        serve(&message.data);
                msgpack_unpacked_destroy(&message);
                free(body);
        }
}

#else

static int run_attack(struct poppo_run *run)
{
        msgpack_unpacked task;
        msgpack_sbuffer value;
        msgpack_packer p;

        attack = (struct attack){0};
        msgpack_unpacked_init(&task);
        if (msgpack_unpack_next(&task, run->task.data, run->task.size, NULL) == MSGPACK_UNPACK_SUCCESS)
                perform(&attack, read_attack(&attack, &task.data));
        msgpack_unpacked_destroy(&task);
        msgpack_sbuffer_init(&value);
        msgpack_packer_init(&p, &value, msgpack_sbuffer_write);
        pack_results(&attack, &p);
        run->host->result(run, value.data, value.size);
        msgpack_sbuffer_destroy(&value);
        return 0;
}

const struct poppo_plugin poppo_plugin = {POPPO_PLUGIN_HEAD, .name = "native 1.0", .run = run_attack};

#endif

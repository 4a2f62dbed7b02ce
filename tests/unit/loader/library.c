#include "library.h"

#include "loader/loader.h"
#include "wire/pack.h"

#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const roots[LIBRARY_ROOTS] = {"a", "b"};

void library_make(struct library *l)
{
        *l = (struct library){0};
        strcpy(l->dir, "/tmp/poppo-library-XXXXXX");
        assert_non_null(mkdtemp(l->dir));
        for (int i = 0; i < LIBRARY_ROOTS; i++) {
                char path[PATH_MAX];

                snprintf(path, sizeof(path), "%s/%s", l->dir, roots[i]);
                assert_int_equal(mkdir(path, 0755), 0);
        }
}

static void make_directories(char *path)
{
        for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                mkdir(path, 0755);
                *slash = '/';
        }
}

void library_put(struct library *l, const char *path, const char *text)
{
        char full[PATH_MAX];
        FILE *f;

        snprintf(full, sizeof(full), "%s/%s", l->dir, path);
        make_directories(full);
        if (!strncmp(text, "-> ", 3)) {
                assert_int_equal(symlink(text + 3, full), 0);
                return;
        }
        f = fopen(full, "w");
        assert_non_null(f);
        fputs(text, f);
        assert_int_equal(fclose(f), 0);
        assert_int_equal(chmod(full, 0644), 0);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
        (void)st;
        (void)flag;
        (void)ftw;
        return remove(path);
}

void library_remove(struct library *l)
{
        nftw(l->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- the loader ---- */

static struct bytes wait_for_frame(struct library *l)
{
        struct bytes frame;

        while (channel_next(&l->channel, &frame) == CHANNEL_AGAIN)
                assert_int_equal(channel_fill(&l->channel), 0);
        return frame;
}

void library_open_with(struct library *l, struct bytes paths)
{
        struct wire_loader_roots body = {0};
        struct wire_refusal why;
        struct wire_head head;
        int pair[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        l->pid = fork();
        assert_true(l->pid >= 0);
        if (!l->pid) {
                close(pair[0]);
                _exit(loader_main(pair[1]));
        }
        close(pair[1]);
        channel_init(&l->channel, pair[0], CHANNEL_FRAME_MAX, CHANNEL_FRAME_MAX);
        WIRE_SET(&body, loader_roots, roots, paths);
        WIRE_SET(&body, loader_roots, log_level, 0);
        assert_int_equal(channel_send(&l->channel, WIRE_MESSAGE(loader_roots), 0, &body), 0);
        assert_int_equal(channel_flush(&l->channel), 0);
        assert_int_equal(wire_open(wait_for_frame(l), &head, &why), 0);
        assert_true(wire_str_is(head.op, "opened"));
}

void library_open(struct library *l)
{
        struct buf b;
        struct pack p;

        buf_init(&b, 0);
        pack_init(&p, &b);
        pack_array(&p, LIBRARY_ROOTS);
        for (int i = 0; i < LIBRARY_ROOTS; i++) {
                char path[PATH_MAX];

                snprintf(path, sizeof(path), "%s/%s", l->dir, roots[i]);
                pack_text(&p, path);
        }
        library_open_with(l, buf_bytes(&b));
        buf_fini(&b);
}

int library_close(struct library *l)
{
        int status = -1;

        channel_fini(&l->channel);
        waitpid(l->pid, &status, 0);
        return status;
}

struct bytes library_ask(struct library *l, const struct wire_message *m, const void *body)
{
        struct wire_refusal why;
        struct wire_head head;
        struct bytes frame;

        assert_int_equal(channel_send(&l->channel, m, ++l->seq, body), 0);
        assert_int_equal(channel_flush(&l->channel), 0);
        frame = wait_for_frame(l);
        assert_int_equal(wire_open(frame, &head, &why), 0);
        assert_true(head.is_reply && head.ok);
        assert_int_equal(head.seq, l->seq);
        return frame;
}

void library_load(
        struct library *l, int root, const char *from, const char *name, struct wire_load_reply *reply)
{
        struct wire_load body = {0};
        struct wire_refusal why;
        struct bytes frame;

        WIRE_SET(&body, load, name, wire_str(name));
        if (from) {
                WIRE_SET(&body, load, root, (uint64_t)root);
                WIRE_SET(&body, load, from, wire_str(from));
        }
        frame = library_ask(l, WIRE_MESSAGE(load), &body);
        assert_int_equal(wire_decode(WIRE_MESSAGE(load_reply), frame, reply, &why), 0);
}

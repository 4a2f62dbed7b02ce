/*
 * Hostile lines against the parser of commands, with the real shell as the judge: a line that is taken must
 * make /bin/sh run exactly the commands that the parser saw, with exactly these arguments; and so must what
 * is written from them. Lines whose commands are all t or f are tried, which write down how they were called;
 * nothing else is in PATH.
 */
#include "fuzz.h"
#include "worker/shell/command.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RECORD_FD = 9 };

static char dir[] = "/tmp/poppo-fuzz-XXXXXX";

static void require(bool held)
{
        if (!held)
                abort();
}

static void clean_up(void)
{
        static const char *const names[] = {"t", "f", "record"};

        require(chdir("/") == 0);
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                char path[64];

                snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
                unlink(path);
        }
        rmdir(dir);
}

/* Whatever a line does by mistake it does in an empty directory. */
static void set_up(void)
{
        const char *record = getenv("POPPO_FUZZ_RECORD");
        static bool done;

        if (done)
                return;
        done = true;
        require(record && mkdtemp(dir) && chdir(dir) == 0);
        require(symlink(record, "t") == 0 && symlink(record, "f") == 0);
        atexit(clean_up);
}

static bool is_stub(const char *word)
{
        return !strcmp(word, "t") || !strcmp(word, "f");
}

static void expect_one(const struct command *c, const struct command_simple *s, FILE *out)
{
        fprintf(out, "%zu:%s", s->n, command_word(c, s, 0));
        for (size_t i = 1; i < s->n; i++)
                fprintf(out, " %zu:%s", strlen(command_word(c, s, i)), command_word(c, s, i));
        fprintf(out, "\n");
}

/* What would be written down, had the shell read the line as the parser did. */
static char *expected(const struct command *c)
{
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        bool good = true;

        require(out != NULL);
        for (size_t i = 0; i < command_count(c); i++) {
                const struct command_simple *s = command_at(c, i);

                if ((s->join == COMMAND_AND && !good) || (s->join == COMMAND_OR && good))
                        continue;
                expect_one(c, s, out);
                good = !strcmp(command_word(c, s, 0), "t");
        }
        fclose(out);
        return text;
}

static void become_shell(const char *script)
{
        char path[64];
        char *const env[] = {path, NULL};
        int record = open("record", O_WRONLY | O_CREAT | O_TRUNC, 0600), null = open("/dev/null", O_RDWR);

        snprintf(path, sizeof(path), "PATH=%s", dir);
        dup2(record, RECORD_FD);
        for (int fd = 0; fd < 3; fd++)
                dup2(null, fd);
        execle("/bin/sh", "sh", "-c", "--", script, NULL, env);
        _exit(99);
}

static char *told(const char *script)
{
        char *text = calloc(1, 65536);
        pid_t pid = fork();
        int fd;

        require(text && pid >= 0);
        if (!pid)
                become_shell(script);
        require(waitpid(pid, NULL, 0) == pid);
        fd = open("record", O_RDONLY);
        require(fd >= 0 && read(fd, text, 65535) >= 0);
        close(fd);
        return text;
}

static void expect(const char *script, const char *want)
{
        char *got = told(script);

        if (strcmp(got, want)) {
                fprintf(stderr, "# the shell was told: %s\n# it ran:\n%s# and should have run:\n%s", script,
                        got, want);
                abort();
        }
        free(got);
}

static void compare(const struct command *c, const uint8_t *data, size_t size)
{
        char *line = strndup((const char *)data, size), *want = expected(c);
        struct buf script;

        buf_init(&script, 0);
        for (size_t i = 0; i < command_count(c); i++)
                require(!command_write(c, command_at(c, i), command_word(c, command_at(c, i), 0), &script));
        require(line && !buf_append(&script, "", 1));
        expect(line, want);
        expect((const char *)buf_head(&script), want);
        buf_fini(&script);
        free(line);
        free(want);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct wire_refusal why = {0};
        bool known = true;
        struct command c;
        int r;

        set_up();
        command_init(&c);
        r = command_parse(&c, (struct bytes){data, size}, &why);
        if (r) {
                require(r == 1 && why.code == WIRE_COMMAND_REFUSED && strstr(why.message, " at byte "));
        } else {
                require(command_count(&c) > 0);
                for (size_t i = 0; i < command_count(&c); i++)
                        known = known && is_stub(command_word(&c, command_at(&c, i), 0));
                if (known)
                        compare(&c, data, size);
        }
        command_fini(&c);
        return 0;
}

/* Each name is walked part by part: none leads out of the directory, neither by ".." nor by a link that is
 * there already. */
#include "cli/collect.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "cli/document.h"
#include "cli/follow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static bool is_part(const char *part)
{
        return *part && strcmp(part, ".") && strcmp(part, "..");
}

static int enter(int at, const char *part)
{
        int fd;

        if (!is_part(part))
                return -EINVAL;
        if (mkdirat(at, part, 0777) < 0 && errno != EEXIST)
                return -errno;
        fd = openat(at, part, O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

/* Opens the file anew; its directories are made. */
static int create(int root, const char *name)
{
        CLEANUP(cleanup_free) char *path = strdup(name);
        CLEANUP(cleanup_close) int at = fcntl(root, F_DUPFD_CLOEXEC, 0);
        char *part = path, *slash;
        int fd;

        if (!path || at < 0)
                return -ENOMEM;
        while ((slash = strchr(part, '/'))) {
                int next;

                *slash = '\0';
                next = enter(at, part);
                if (next < 0)
                        return next;
                close(at);
                at = next;
                part = slash + 1;
        }
        if (!is_part(part))
                return -EINVAL;
        fd = openat(at, part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
        return fd < 0 ? -errno : fd;
}

static int write_all(int fd, const char *data, size_t len)
{
        while (len) {
                ssize_t n = write(fd, data, len);

                if (n < 0 && errno != EINTR)
                        return -errno;
                data += n > 0 ? n : 0;
                len -= n > 0 ? (size_t)n : 0;
        }
        return 0;
}

/* The value of a member whose key is any text. */
static int find_content(
        struct poppo_reply *record, const char *files, const char *name, const void **data, size_t *len)
{
        CLEANUP(cleanup_free) char *pointer = document_pointer(files, name);

        return pointer ? poppo_reply_bytes(record, pointer, data, len) : -ENOMEM;
}

static int collect_file(struct poppo_reply *record, const char *files, int root, const char *name)
{
        CLEANUP(cleanup_close) int fd = -1;
        const void *data;
        size_t len;
        int r = find_content(record, files, name, &data, &len);

        if (r < 0)
                return r;
        fd = create(root, name);
        return fd < 0 ? fd : write_all(fd, data, len);
}

int collect_files(struct cli *cli, struct poppo_reply *record, const char *directory)
{
        CLEANUP(cleanup_close) int root = -1;
        CLEANUP(cleanup_json) json_t *list = NULL;
        char files[64];
        const char *text, *name;
        json_t *content;
        int status = EXIT_OK;

        snprintf(files, sizeof(files), "%s/files", follow_outcome(record));
        text = poppo_reply_json(record, files);
        list = text ? json_loads(text, JSON_ALLOW_NUL, NULL) : NULL;
        if (mkdir(directory, 0777) < 0 && errno != EEXIST)
                return cli_complain(
                        cli, EXIT_OUTPUT, NULL, "cannot make %s: %s", directory, error_text(-errno));
        root = open(directory, O_DIRECTORY | O_CLOEXEC);
        if (root < 0)
                return cli_complain(
                        cli, EXIT_OUTPUT, NULL, "cannot open %s: %s", directory, error_text(-errno));
        json_object_foreach(list, name, content)
        {
                int r = collect_file(record, files, root, name);

                if (r < 0)
                        status = cli_complain(cli, EXIT_OUTPUT, NULL, "cannot write %s in %s: %s", name,
                                directory, error_text(r));
        }
        return status;
}

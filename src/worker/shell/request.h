/* A shell-command task, checked and turned into what a jail starts. */
#pragma once

#include "sandbox/jail.h"
#include "worker/shell/allow.h"
#include "worker/shell/encode.h"
#include "worker/shell/environment.h"

struct request {
        struct wire_shell_command task; /* borrows the frame */
        struct strings argv, envp, collect;
        struct environment environment;
        const char *file; /* what is executed instead of argv[0]; NULL: that itself */
        char *script;     /* what argv[2] of a shell is, when a list took the line apart */
        char *cwd;
        enum encoding encoding;
};

void request_init(struct request *r);
void request_fini(struct request *r);

/* From the encoded task. project_env: an encoded map. Positive: refused. -ENOMEM. */
int request_read(struct request *r, struct bytes map, const struct allow *allow, struct bytes project_env,
        struct wire_refusal *why);

/* The task's stdin as a descriptor: a file in memory that nobody can change. -1: there is none. Else -errno.
 */
int request_stdin(const struct request *r, int *fd, struct wire_refusal *why);

/* Files and the directory that it starts in. As files_write(). */
int request_furnish(const struct request *r, const struct jail_tree *t, struct wire_refusal *why);

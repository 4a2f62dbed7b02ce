/* Between the files of the control groups. */
#pragma once

#include "sandbox/cgroup.h"

enum { CGROUP_TEXT = 4096 };

/* Where the calling process is in the hierarchy of a part. */
struct cgroup_place {
        int version; /* 0: nowhere */
        bool read_only;
        char path[CGROUP_PATH]; /* the group's directory */
};

/* From the files of /proc/PID. Version 2 is taken for TIME and KILL where it is mounted, and for a controller
 * that no hierarchy of version 1 has. -errno. */
int cgroup_locate(const char *cgroups, const char *mounts, struct cgroup_place places[CGROUP_PARTS]);

/* What a part's controller is called; NULL: it needs none in version 2. */
extern const char *const cgroup_controllers[CGROUP_PARTS];

/* Files in a group's directory. -errno. */
int cgroup_write_file(int dir, const char *file, const char *text);
/* NUL-terminated; what is behind CGROUP_TEXT is left out. */
int cgroup_read_file(int dir, const char *file, char text[static CGROUP_TEXT]);
/* The number behind a key at a line's beginning, NULL: the first one. "max" is CGROUP_UNLIMITED. */
int cgroup_find_number(const char *text, const char *key, uint64_t *n);
int cgroup_read_number(int dir, const char *file, const char *key, uint64_t *n);

/* What `configure` says of shell-command and the project, kept for the runs that follow. */
#pragma once

#include "sandbox/jail.h"
#include "worker/shell/strlist.h"

struct settings {
        struct bytes allow, env; /* encoded, copies */
        struct strings paths;
        bool network;
        uint64_t max_output_bytes, max_disk_bytes, max_files, max_tree_processes, max_tree_memory_bytes;
};

/* As the configuration's defaults have them. */
void settings_init(struct settings *s);
void settings_fini(struct settings *s);
/* Takes over what the map holds; what is not in it stays. -ENOMEM. */
int settings_read(struct settings *s, struct bytes map);

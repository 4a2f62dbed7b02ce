/* Files that a command left behind, put into a directory here. Their names and contents are the task's, and
 * so not trusted. */
#pragma once

#include "cli/cli.h"

/* Writes the files of a command's record below the directory, which is made if it is not there. 0, or an exit
 * status after a message. */
int collect_files(struct cli *cli, struct poppo_reply *record, const char *directory);

/*
 * A VFS for SQLite that remembers every write, sync, truncation and deletion, and can say what a disk may hold after the
 * power failed at any moment: all that was synced, and of the rest what chance left of it, sector by sector.
 */
#pragma once

#include <stddef.h>

/* Registers the VFS "recorder" and forgets what was recorded. */
void recorder_start(void);
/* How many events there are. */
size_t recorder_events(void);
/* Writes the files as they may be found after a cut behind this many events into a directory. */
void recorder_cut(size_t events, unsigned int seed, const char *directory);
void recorder_stop(void);

/*
 * What goes on while a plugin's code runs: heartbeats, and the limit of its CPU time. Both are timers whose
 * signals go to the main thread, whatever threads the plugin may have made.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Begins to beat; beat_open() has made the frame. Negative: no timer could be made. */
int ticks_start(uint64_t heartbeat_ms);

/* Counts from now on; 0: no limit. One that does not come to its end when the limit is met has a second of
 * CPU time, and then the process ends with WORKER_EXIT_CPU. */
void ticks_limit_cpu(uint64_t max_cpu_ms);
bool ticks_cpu_is_spent(void);

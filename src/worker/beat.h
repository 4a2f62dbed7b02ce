/*
 * The heartbeat of a worker whose code does not come back to a loop of ours: a signal's handler sends it. The
 * frame was made before, and never gets into the middle of another one.
 */
#pragma once

#include <stdbool.h>

/* Makes the frame for this channel. Negative: no memory. */
int beat_open(int fd);

/* For the handler. While a frame is being written, the beat is put off until beat_release(). */
void beat_send(void);

/* Around everything that writes to the channel; without beat_open() they do nothing. */
void beat_hold(void);
void beat_release(void);
bool beat_is_held(void);

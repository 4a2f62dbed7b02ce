/*
 * Console output as it comes, for those who follow a task. The lines are kept in the outcome anyway; here they are sent
 * from there, from the first one on each time that somebody new asks.
 */
#pragma once

#include "worker/outcome.h"

#include <stdbool.h>
#include <stdint.h>

/* Once. send writes the message out, whatever it takes. -ENOMEM. */
int live_init(size_t max_bytes, void (*send)(const struct wire_worker_output *));

/* A run begins, and whether it is followed from the start. */
void live_begin(uint32_t run, const struct outcome *out, bool followed);

/* From the signal handler: somebody asks for this run's output. It may come before the run. */
void live_ask(uint32_t run);
/* Whether lines wait to be sent. */
bool live_pending(void);

/* Sends what waits. Not while a line is being kept, nor while a frame is being written. */
void live_send(void);

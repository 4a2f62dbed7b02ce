/*
 * Asking the loader, by way of the master: for a module's bytes, and whether what earlier answers rested on
 * still holds. Waiting for an answer is within the task's deadline; the answer to a task that is over is
 * passed over when it comes.
 */
#pragma once

#include "wire/codec.h"

#include <stdbool.h>

/* A task begins: nothing was asked yet. */
void loads_begin(void);

/* It is over: wipes what its questions left. */
void loads_forget(void);

/* 0: *reply is filled, and good until the next question. Positive: the loader could not be asked, and says
 * why. */
int loads_ask(const struct wire_load *question, struct wire_load_reply *reply, struct wire_refusal *why);
/* The same question again. Positive: could not be asked. */
int loads_check(struct bytes proof, uint32_t n, bool *same, struct wire_refusal *why);

/* Whether the loader could not be asked since the task began: what came of it is not to be trusted, whatever
 * the task made of the error. */
bool loads_failed(struct wire_refusal *why);

/* What all answers since then rest on: encoded elements, none of them twice. False: they are more than are
 * kept. */
bool loads_proof(struct bytes *proof, uint32_t *n);
/* When the first question was asked (monotonic ns). */
int64_t loads_asked_at(void);

/* A frame that is the answer to a question of an earlier task. */
bool loads_is_late(const struct wire_head *head);

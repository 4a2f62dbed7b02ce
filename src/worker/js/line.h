/*
 * The js worker's end of its channel: it blocks, and a deadline holds wherever it does. What is broken about
 * it is told by the process's end (wire/exits.def), since there is nobody else to tell.
 */
#pragma once

#include "wire/channel.h"

#include <stdint.h>

/* -ENOMEM. */
int line_open(int fd, size_t out_limit);

void line_send(const struct wire_message *m, uint64_t seq, const void *body);

/* The next frame, and its envelope. Good until the next call, as is all of what came before it. */
struct bytes line_receive(struct wire_head *head);

/* Wipes what was received and handed out: it was a task's. */
void line_forget(void);

/* It made no sense. */
_Noreturn void line_fail(void);

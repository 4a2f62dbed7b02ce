/* One hop as libcurl sees it: its options, and the callbacks that bound it. */
#pragma once

#include "worker/http/transfer.h"

/* Sets the handle up for the transfer's request as it stands. -ENOMEM. */
int hop_prepare(struct transfer *t);

/* How many redirects may be followed: the task's say, within the settings'. */
uint64_t hop_max_redirects(const struct transfer *t);

/* Whether the response is a redirect that is followed. Known once its headers are there. */
bool hop_is_redirect(struct transfer *t);

/*
 * The last word of a worker that its filter ends: which call it was. The filter sends SIGSYS instead of
 * killing, and the handler says the name over the channel and then makes another such call, which does kill:
 * the signal is blocked by then. The call itself is never made. That nobody puts another handler in its place
 * is the filter's affair (HANDLER).
 */
#pragma once

/* Before the filter is loaded. Negative: the name will not be told; the filter kills all the same. */
int denial_prepare(int channel_fd);

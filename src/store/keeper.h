/*
 * The store's process. poppod starts it with its channel on a descriptor; `open` comes first. Changes that came in are made
 * in one transaction and acknowledged together after its commit; what comes in meanwhile is the next one, so that nobody
 * waits when there is little to do and one sync serves many when there is much.
 *
 * While nothing can be written every change is refused by name, and the store tries again by itself.
 */
#pragma once

/* Serves until the channel closes. Returns the exit status. */
int store_main(int channel_fd);

enum { STORE_FRAME_MAX = 64 * 1024 * 1024 };

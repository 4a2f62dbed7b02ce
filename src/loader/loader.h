/*
 * The loader: the one process that reads modules. Workers have no files; what they require() comes from here
 * as bytes, by way of the master, from beneath the configured roots and from nowhere else.
 */
#pragma once

/* Serves on the channel until it closes; takes over the whole process. Expects `roots` as the first frame and
 * answers `opened`. Returns the exit status. */
int loader_main(int channel_fd);

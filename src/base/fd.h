/* Descriptors: reading and writing whole, passing them over sockets, closing what must not be inherited. */
#pragma once

#include <stddef.h>

enum { FD_PASS_MAX = 4 };

/* A connected pair of stream sockets, both close-on-exec and non-blocking. */
int fd_pair(int pair[static 2]);

/* A pipe, both ends close-on-exec; reading from it does not block, writing does. Nothing is set after an
 * error. */
int fd_pipe(int *read_end, int *write_end);

int fd_set_nonblock(int fd, int on);

/* One record over a SOCK_SEQPACKET socket, with a descriptor unless that is -1. Nothing is interrupted by a
 * signal. */
int fd_send_record(int sock, const void *record, size_t size, int passed);
/* Waits for the next one, which must have this size. *passed is the caller's then, or -1. Positive: there is
 * nobody any more; -EBADMSG: a record of another size, or with more descriptors than one. */
int fd_receive_record(int sock, void *record, size_t size, int *passed);

/* Clears close-on-exec, for the one descriptor that a helper inherits. */
int fd_keep_on_exec(int fd);

/* Closes every descriptor from first up, except keep (-1: none). */
int fd_close_from(int first, int keep);

/* First thing in a program: whichever of stdin, stdout and stderr the caller closed is taken by /dev/null,
 * the wrong way round. Else the next file or socket would get its number and what is printed; so it still
 * fails, as it should. */
int fd_fill_stdio(void);

/* Points stdin, stdout and stderr at /dev/null. */
int fd_null_stdio(void);

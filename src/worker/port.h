/*
 * A worker's end of its channel, for the classes that wait for descriptors in a loop of their own (http,
 * shell, plugin): takes runs, cancels and settings in, sends ready, beats, output and replies out. The js
 * worker, which is to be stopped in the middle of a script, is driven by signals instead
 * (worker/js/worker.c).
 *
 *   port_open(&port, fd, setup, &ops); port_ready(&port, layers);
 *   for (;;) {
 *           poll port.channel.fd for port_events(&port), at most port_wait_ms(&port), and whatever else the
 * class waits for; port_serve(&port, revents);
 *   }
 *
 * There is nobody to report a broken channel to: the port then ends the process, with a status of
 * wire/exits.def.
 */
#pragma once

#include "wire/channel.h"
#include "worker/outcome.h"

struct port;

struct port_ops {
        /* A run begins. The body's bytes are good during the call only. seq names the run. */
        void (*run)(struct port *, uint32_t seq, const struct wire_worker_run *);
        /* May name a run that has ended. NULL where nothing can be cancelled or followed. */
        void (*cancel)(struct port *, uint32_t seq);
        void (*follow)(struct port *, uint32_t seq);
        /* Good during the call only. NULL: the class has no settings. */
        void (*configure)(struct port *, struct bytes settings);
        /* The supervisor has closed the channel: last thing before the process ends. May be NULL. */
        void (*closed)(struct port *);
};

struct port {
        struct channel channel;
        const struct port_ops *ops;
        struct wire_spawn_setup setup; /* its strings are not kept */
        struct buf logs;               /* of one reply */
        int64_t next_beat, beat_interval;
};

enum wire_stream {
        STREAM_STDOUT,
        STREAM_STDERR,
        STREAM_CONSOLE,
        STREAMS
}; /* as in the wire's output.stream */

/* Takes the descriptor over, which must be non-blocking unless the port beats by signal. -ENOMEM. */
int port_open(struct port *p, int fd, const struct wire_spawn_setup *setup, const struct port_ops *ops);

/* Whoever may not come back to port_serve() in time beats by worker/beat.h, and opens that. The channel may
 * block then. */
void port_beats_by_signal(struct port *p);

/* Says what keeps the worker from going on, at once; the process is about to end. */
void port_failed(struct port *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Says that the worker waits for work; layers is an encoded map. */
void port_ready(struct port *p, struct bytes layers);
/* Other ones hold from now on. */
void port_locked(struct port *p, struct bytes layers);

/* What to poll the channel for, and for how long at most, in ms. */
short port_events(const struct port *p);
int port_wait_ms(const struct port *p);
/* Reads and hands out what came, beats when it is time, writes what waits. Call it after every poll. */
void port_serve(struct port *p, short revents);
/* Writes what waits, as far as the channel takes it. */
void port_flush(struct port *p);

/* The run has ended, with this outcome; timings is an encoded map or empty. */
void port_reply(struct port *p, uint32_t seq, const struct outcome *o, struct bytes timings);
/* A piece of a followed run's output, of any size; `at` counts what this stream had before. */
void port_output(struct port *p, uint32_t seq, enum wire_stream stream, uint64_t at, struct bytes data);
void port_metric(struct port *p, const struct wire_worker_metric *metric);
/* Asks for a successor: no runs come from then on but those that are on their way. */
void port_retire(struct port *p, const char *reason);

/* Bytes that the supervisor has not taken yet: a class that makes more of them than one reply waits while
 * this is high. */
static inline size_t port_backlog(const struct port *p)
{
        return buf_size(&p->channel.out);
}

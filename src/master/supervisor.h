/*
 * What the master is made of. The parts do not know this struct; only the files that join them do: master.c, session.c,
 * signals.c, reload.c and the requests.
 */
#pragma once

#include "config/config.h"
#include "master/dispatch.h"
#include "master/durable.h"
#include "master/listener.h"
#include "master/loader_link.h"
#include "master/loop.h"
#include "master/master.h"
#include "master/metrics.h"
#include "master/pool.h"
#include "master/registry.h"
#include "master/scheduler.h"
#include "master/spawner_link.h"
#include "master/starter_link.h"
#include "master/task_types.h"

/* SERVING takes tasks; DRAINING refuses new ones, finishes the rest and stays; ENDING finishes what runs and then goes. */
enum supervisor_state { SUPERVISOR_SERVING, SUPERVISOR_DRAINING, SUPERVISOR_ENDING };

enum { SUPERVISOR_SIGNALS = 9 };

struct supervisor {
        const struct master_options *options;
        struct config config;
        uint64_t settings; /* revision of what workers are told of it */
        struct task_types types;
        struct loop loop;
        struct listener listener;
        struct starter_link starter;
        struct spawner_link spawner;
        struct loader_link loader;
        struct scheduler scheduler;
        struct registry registry;
        struct pool pool;
        struct metrics metrics;
        struct dispatch dispatch;
        struct durable durable;
        struct list store_askers; /* struct waiter: calls of store-stats under way */
        struct ev_signal signals[SUPERVISOR_SIGNALS];
        struct ev_timer shutdown;
        struct list sessions;
        uint64_t n_sessions, last_session;
        struct list drain_waiters;
        struct buf scratch; /* for one record at a time */
        struct buf settings_scratch;
        int64_t retry_after_ms; /* goes with the refusal that is being written; -1: none */
        int64_t started, started_wall;
        enum supervisor_state state;
        bool announced; /* ready: said once, not for every new spawner */
        int state_lock_fd, log_fd, notify_fd, children_fd;
        struct identity user;  /* who the master and its helpers become; only where becomes */
        bool becomes;
        int processors; /* of the machine */
        struct layers layers; /* what holds around the master */
        int exit_status;
        char socket_path[108];
};

/* Says why the start fails, and gives the exit status. */
int supervisor_refuse(const char *what, const char *path, int r);
/* The first part of the start: what is made and opened for good, the starter, and then all that the master gives up. 0, or
 * the exit status. */
int supervisor_settle_in(struct supervisor *s, void (*tick)(struct loop *),
        void (*on_accept)(struct listener *, int fd, const struct ucred *who));
/* What it gave up, and whether it is root; to the log, once that is as it was configured. */
void supervisor_tell_rights(const struct supervisor *s);

/* Ends the supervisor: politely, or at once. Twice means at once. */
void supervisor_end(struct supervisor *s, bool now, const char *reason);
/* Takes nothing new and finishes what is there, delayed tasks excepted. */
void supervisor_drain(struct supervisor *s);

/* Starts what keeps durable tasks, if there is a place for them. Negative: it could not be. */
int supervisor_start_store(struct supervisor *s);
/* Says once that everything is there. */
void supervisor_announce(struct supervisor *s);

/* Reads the configuration again. 0: it holds; positive: refused, and nothing changed. `text` says either way. */
int supervisor_reload(struct supervisor *s, char *text, size_t size);
/* Hands the configuration to the parts, at start and after a reload. */
void supervisor_apply(struct supervisor *s);
/* Gives projects the settings of their entries, but for entries that are as they were before: what was changed by hand
 * since then stays. before NULL: all of them. */
void supervisor_apply_projects(struct supervisor *s, const struct config *before);
/* How many descriptors clients may use, after maxProcesses changed. */
void supervisor_reserve_fds(struct supervisor *s);
/* Who may connect; borrows from the configuration. */
struct listener_rules supervisor_listener_rules(const struct config *c);
int supervisor_open_log(struct supervisor *s);

void supervisor_watch_signals(struct supervisor *s);
void supervisor_unwatch_signals(struct supervisor *s);

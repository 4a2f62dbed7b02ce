/* What the scheduler's own files share; nobody else includes this. */
#pragma once

#include "master/scheduler.h"

/* ---- scheduler_order.c: lanes in the orders of their pools ---- */

void order_init(struct scheduler *s);
void order_fini(struct scheduler *s);

/* The project's lane, with room in every heap that it may stand in. NULL: no memory. */
struct lane *order_lane(struct scheduler *s, struct project *p, enum task_class class);
/* The project's lanes are about to be freed. */
void order_forget(struct scheduler *s, struct project *p);

/* Puts a lane where it belongs after anything about it has changed. */
void order_place(struct scheduler *s, struct lane *l, int64_t now);
/* The same for all lanes of a project, after its limits, tokens or running tasks have changed. */
void order_place_all(struct scheduler *s, struct project *p, int64_t now);

/* Lanes whose level has risen and projects whose token has come, up to now. */
void order_catch_up(struct scheduler *s, int64_t now);

/* Charges the estimate of a starting task, and after its end the difference to what it used. `charged` is in turns, so that
 * a weight that changes meanwhile gives nothing back that was not taken. */
double order_charge(struct scheduler *s, struct lane *l);
void order_settle(struct scheduler *s, struct lane *l, double charged, double used);

/* The first lane of an order; NULL: none. */
struct lane *order_first(const struct class_pool *pool, enum lane_order order);
/* The first lane of each class that has one, in the order in which they get seats: by rank, then who waits longest. How
 * many there are. */
int order_firsts(const struct scheduler *s, struct lane *firsts[static CLASSES]);
bool lane_before(const struct lane *a, const struct lane *b);
/* How many more seats of the class its waiting tasks could use, within what the class may have. */
uint64_t order_wanted(const struct class_pool *pool);

/* ---- scheduler_projects.c: names, settings, who may be forgotten ---- */

void project_ref(struct scheduler *s, struct project *p);
void project_unref(struct scheduler *s, struct project *p);
void projects_fini(struct scheduler *s);

/* ---- scheduler_seats.c: the state of seats ---- */

/* A run, whose task is set, takes a seat, and gives it back. */
void seat_take(struct scheduler *s, struct seat *seat, struct run *run, enum isolation isolation, int64_t now);
void seat_give(struct scheduler *s, struct run *run, bool spent, int64_t now);
/* A seat for many that was held long enough, for a lane that finds no other; sets close_at when one will be. NULL: none. */
struct seat *seat_to_close(struct scheduler *s, const struct lane *waiting, bool own_class, int64_t now);
/* NULL: no seat of this class idles. */
struct seat *seat_oldest_idle_of(const struct scheduler *s, enum task_class class);

/* ---- scheduler.c ---- */

/* When time alone does something to a task; INT64_MAX: never. */
int64_t task_wakes_at(const struct task *t);

/*
 * One line per event: a level, the event's name, and a sentence with the ids that matter.
 *   log_info("worker-started", "worker %u pid %d class js", id, pid);
 * Text on a terminal, JSON lines elsewhere (log_format AUTO). Lines are written with one write(2) each.
 */
#pragma once

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_LEVELS };
enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Name of the role that logs ("poppod", "spawner"); level and format take effect at once. Default: info, auto, stderr. */
void log_open(const char *role);
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
void log_set_format(enum log_format format);

/* Sends lines to this descriptor from now on; the log does not own it. Returns the one used before. */
int log_set_fd(int fd);

/* The level of "error", "warn", "info" or "debug"; -1 for any other word. */
int log_level_parse(const char *word);

void log_emit(enum log_level level, const char *event, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* An expression, so that a callback can end with it. */
#define log_at(level, ...) ((level) <= log_get_level() ? log_emit((level), __VA_ARGS__) : (void)0)

#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)

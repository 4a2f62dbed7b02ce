/*
 * The error convention, kept everywhere:
 *   negative  -errno: this operation failed. Traced once, where it arose, by error_origin(); handed on as it is.
 *   0         done.
 *   positive  a named condition (an enum beside the function) that the caller must handle.
 */
#pragma once

/* Traces a fresh failure with its place at debug level and returns it. 0 and positive values pass untouched. */
#define error_origin(r) error_origin_at((r), __FILE__, __LINE__, __func__)

int error_origin_at(int r, const char *file, int line, const char *func);

/* The text of a negative error, e.g. "No such file or directory". Static or thread-local storage. */
const char *error_text(int r);

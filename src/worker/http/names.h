/*
 * The files by which names are looked up. Landlock lets the worker read them as they were when it was locked
 * down: one that takes their place under the same name, as a new resolv.conf does, is another file to it. So
 * the worker looks whether they still are the same, and asks for a successor that may read the new ones.
 */
#pragma once

#include <stdbool.h>

/* Before the lock-down. */
void names_note_files(void);

/* Whether one of them was replaced, came or went since. Asks no more than once a second. */
bool names_files_replaced(void);

/*
 * The native stack between tasks. What a task left there below our own frames is wiped, and the pages of a
 * deep recursion are given back, so that the next task finds neither bytes nor memory of the last one.
 */
#pragma once

/* Call from a shallow frame; the caller's own locals stay. */
void stack_wipe(void);

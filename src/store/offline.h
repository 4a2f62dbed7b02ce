/* What can be done with a store's file while no supervisor has it. Each returns an exit status of sysexits(3) and says on
 * standard error what is wrong. */
#pragma once

/* Looks at every page and every row. */
int store_check(const char *path);
/* Prints each task that can be read as a line of JSON, also from a damaged file. */
int store_export(const char *path);
/* Writes all that can be read to a new file beside it, PATH.recovered; the old one stays as it is. */
int store_recover(const char *path);

/* Rules are taken apart and looked up once; a check is a comparison of paths and some patterns. */
#include "worker/shell/allow.h"

#include "base/cleanup.h"
#include "sandbox/jail.h"
#include "wire/cursor.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

void allow_fini(struct allow *a)
{
        for (size_t i = 0; a->rules && i < a->texts.n; i++) {
                free(a->rules[i].file);
                free(a->rules[i].patterns);
        }
        free(a->rules);
        strings_fini(&a->texts);
        *a = (struct allow){0};
}

/* ---- executables ---- */

static bool is_executable(const char *path)
{
        struct stat st;

        return stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_mode & 0111;
}

/* The path with the links of its directory resolved, and its own not. False: there is no such executable. */
static bool canonical(const char *path, char out[static PATH_MAX])
{
        char dir[PATH_MAX], real[PATH_MAX];
        const char *slash = strrchr(path, '/');
        int n;

        if (path[0] != '/' || !slash[1] || strlen(path) >= PATH_MAX || !is_executable(path))
                return false;
        snprintf(dir, sizeof(dir), "%.*s", slash == path ? 1 : (int)(slash - path), path);
        if (!realpath(dir, real))
                return false;
        n = snprintf(out, PATH_MAX, "%s/%s", strcmp(real, "/") ? real : "", slash + 1);
        return n > 0 && n < PATH_MAX;
}

static bool look_up(const char *name, const char *path, char out[static PATH_MAX])
{
        if (strchr(name, '/'))
                return canonical(name, out);
        for (size_t n; *name && *path; path += n + (path[n] == ':')) {
                char at[PATH_MAX];

                n = strcspn(path, ":");
                if (snprintf(at, sizeof(at), "%.*s/%s", (int)n, path, name) < (int)sizeof(at) &&
                        canonical(at, out))
                        return true;
        }
        return false;
}

/* ---- rules ---- */

static bool is_rest(const char *pattern)
{
        return !strcmp(pattern, "*") || !strcmp(pattern, "...");
}

static int read_rule(struct allow_rule *rule, char *text)
{
        char found[PATH_MAX], *rest = text, *executable = strsep(&rest, " ");

        /* A word takes at least a byte and its space. */
        rule->patterns = calloc((rest ? strlen(rest) : 0) / 2 + 2, sizeof(*rule->patterns));
        if (!rule->patterns)
                return -ENOMEM;
        for (char *word; (word = strsep(&rest, " "));)
                if (*word)
                        rule->patterns[rule->n++] = word;
        rule->any = !rule->n || is_rest(rule->patterns[rule->n - 1]);
        if (rule->n && (rule->any || (rule->n == 1 && !strcmp(rule->patterns[0], "\"\""))))
                rule->n--;
        if (!look_up(executable, JAIL_PATH, found))
                return 0;
        rule->file = strdup(found);
        return rule->file ? 0 : -ENOMEM;
}

int allow_read(struct allow *a, struct bytes array)
{
        struct wire_refusal why;
        int r = 0;

        allow_fini(a);
        if (strings_from_array(&a->texts, array, "allow", WIRE_INVALID_OPTION, &why))
                return -ENOMEM;
        a->rules = calloc(a->texts.n + 1, sizeof(*a->rules));
        if (!a->rules)
                r = -ENOMEM;
        for (size_t i = 0; !r && i < a->texts.n; i++)
                r = read_rule(&a->rules[i], a->texts.items[i] + strspn(a->texts.items[i], " "));
        a->restricted = a->texts.n > 0;
        if (r)
                allow_fini(a);
        return r;
}

/* ---- checks ---- */

static bool matches(const struct allow_rule *rule, char *const *arguments)
{
        size_t i = 0;

        for (; i < rule->n; i++)
                if (!arguments[i] || fnmatch(rule->patterns[i], arguments[i], 0))
                        return false;
        return rule->any || !arguments[i];
}

int allow_check(const struct allow *a, char *const *argv, const char *path, const char **file,
        struct wire_refusal *why)
{
        char found[PATH_MAX];
        bool known = false;

        if (!a->restricted)
                return 0;
        if (look_up(argv[0], path, found))
                for (size_t i = 0; i < a->texts.n; i++) {
                        if (!a->rules[i].file || strcmp(a->rules[i].file, found))
                                continue;
                        known = true;
                        if (!matches(&a->rules[i], argv + 1))
                                continue;
                        *file = a->rules[i].file;
                        return 0;
                }
        return wire_refuse(why, WIRE_COMMAND_REFUSED,
                known ? "%.100s may not run with these arguments"
                      : "%.100s is none of the commands that may run",
                argv[0]);
}

/* What the C library keeps from programs with more rights than their caller (among it GCONV_PATH and LOCPATH,
 * from which it loads code into any program that has a locale), and what shells, interpreters and the usual
 * tools take code or commands from. A name that ends with * stands for all that begin so. */
static const char *const loaders[] = {"PATH", "ENV", "IFS", "PS4", "SHELLOPTS", "BASH*", "LD_*", "GCONV_PATH",
        "GETCONF_DIR", "GLIBC_TUNABLES", "HOSTALIASES", "LOCALDOMAIN", "LOCPATH", "MALLOC_*", "NIS_PATH",
        "NLSPATH", "RESOLV_HOST_CONF", "RES_OPTIONS", "TZDIR", "OPENSSL_*", "GIT_*", "PYTHON*", "PERL*",
        "RUBY*", "GEM_*", "NODE_*", "NPM_*", "JAVA_*", "_JAVA_*", "JDK_*", "LUA_*", "PHP*", "AWKPATH",
        "AWKLIBPATH", "TAR_OPTIONS", "RSYNC_*", "MAKE*", "GCC_*", "COMPILER_PATH", "EDITOR", "VISUAL",
        "PAGER", "LESS*", "MANPAGER", "BROWSER", "SHELL", "SSH_*", "GREP_OPTIONS", "ZIPOPT", "UNZIP*"};

static bool changes_commands(struct bytes name)
{
        for (size_t i = 0; i < sizeof(loaders) / sizeof(loaders[0]); i++) {
                size_t n = strcspn(loaders[i], "*");

                if (name.len >= n && !memcmp(name.data, loaders[i], n) && (loaders[i][n] || name.len == n))
                        return true;
        }
        return false;
}

int allow_check_environment(const struct allow *a, struct bytes map, struct wire_refusal *why)
{
        struct cursor c = cursor_over(map);
        struct wire_value head = {.tag = TAG_MAP}, name;
        struct bytes value;

        if (!a->restricted || (map.len && (cursor_read(&c, &head) || head.tag != TAG_MAP)))
                return 0;
        for (uint32_t i = 0; i < head.count && !cursor_read(&c, &name) && !cursor_skip(&c, &value); i++)
                if (name.tag == TAG_STR && changes_commands(name.bytes))
                        return wire_refuse(why, WIRE_COMMAND_REFUSED,
                                "env.%.*s would change what may run: with a list of that it cannot be set",
                                name.bytes.len < 64 ? (int)name.bytes.len : 64,
                                (const char *)name.bytes.data);
        return 0;
}

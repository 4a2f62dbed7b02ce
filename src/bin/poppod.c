/*
 * poppod(8): reads its command line and configuration, then becomes the master. Everything else is in master/.
 */
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/paths.h"
#include "config/config.h"
#include "master/learning.h"
#include "master/master.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum action { RUN, CHECK, DUMP };

struct command_line {
        struct master_options master;
        enum action action;
};

static const char usage[] =
        "usage: poppod [-c FILE] [--socket PATH] [--state-dir DIR] [--learn TYPE] [-t] [-T] [-V] [-v|-q]\n"
        "\n"
        "  -c FILE          configuration; " PATHS_CONFIG " if it exists\n"
        "  --socket PATH    where clients connect\n"
        "  --state-dir DIR  where it keeps its state\n"
        "  --learn TYPE     print at the end which system calls tasks of this type need beyond their profile\n"
        "  -t               check the configuration and exit\n"
        "  -T               print the effective configuration and exit\n"
        "  -V               print the version and exit\n"
        "  -v, -q           log more, log less\n";

enum { OPT_SOCKET = 256, OPT_STATE_DIR, OPT_LEARN };

static const struct option long_options[] = {
        {"config", required_argument, NULL, 'c'},
        {"socket", required_argument, NULL, OPT_SOCKET},
        {"state-dir", required_argument, NULL, OPT_STATE_DIR},
        {"learn", required_argument, NULL, OPT_LEARN},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {0},
};

static void print_version(void)
{
        printf("poppod %s (%s, %s)\n", POPPO_VERSION, POPPO_BUILD, "protocol 1");
}

/* -1: go on; else the exit status. */
static int take_option(struct command_line *cl, int c)
{
        switch (c) {
        case 'c':
                cl->master.config_path = optarg;
                return -1;
        case OPT_SOCKET:
                cl->master.socket_path = optarg;
                return -1;
        case OPT_STATE_DIR:
                cl->master.state_dir = optarg;
                return -1;
        case OPT_LEARN:
                cl->master.learn = optarg;
                return -1;
        case 't':
                cl->action = CHECK;
                return -1;
        case 'T':
                cl->action = DUMP;
                return -1;
        case 'v':
                cl->master.verbosity++;
                return -1;
        case 'q':
                cl->master.verbosity--;
                return -1;
        case 'V':
                print_version();
                return EX_OK;
        case 'h':
                fputs(usage, stdout);
                return EX_OK;
        default:
                fputs(usage, stderr);
                return EX_USAGE;
        }
}

static int parse(struct command_line *cl, int argc, char **argv)
{
        int c;

        while ((c = getopt_long(argc, argv, "c:tTVvqh", long_options, NULL)) >= 0) {
                int status = take_option(cl, c);

                if (status >= 0)
                        return status;
        }
        if (optind < argc) {
                fprintf(stderr, "poppod: unexpected argument \"%s\"\n%s", argv[optind], usage);
                return EX_USAGE;
        }
        if (!cl->master.config_path && !access(PATHS_CONFIG, F_OK))
                cl->master.config_path = PATHS_CONFIG;
        return -1;
}

/* The helpers stand beside the program when it runs from its build directory, else in libexec. */
enum { PLACES = 2 };
#define HELPER(name) ((const char *const[PLACES]){name, POPPO_LIBEXECDIR "/" name})

static bool find_helper(const char *const places[static PLACES], char *out, size_t size)
{
        if (paths_find_program(places, PLACES, out, size))
                return true;
        fprintf(stderr, "poppod: %s is neither beside poppod nor in %s\n", places[0], POPPO_LIBEXECDIR);
        return false;
}

static int check_or_dump(const struct command_line *cl)
{
        struct config config;
        struct config_error error;
        int r = 0;

        if (master_load_config(&config, cl->master.config_path, &error)) {
                fprintf(stderr, "poppod: %s\n", error.text);
                return EX_CONFIG;
        }
        if (cl->action == DUMP)
                r = config_dump(stdout, &config);
        else
                printf("poppod: %s is good\n", cl->master.config_path ? cl->master.config_path : "the built-in configuration");
        config_fini(&config);
        return r < 0 || fflush(stdout) ? EX_IOERR : EX_OK;
}

static int learn(struct master_options *options)
{
        struct learning learning;
        int r = learning_start(&learning, options->spawner_program, options->learn), status;

        if (r) {
                fprintf(stderr, "poppod: --learn: %s\n", error_text(r));
                return EX_OSERR;
        }
        options->learner = learning.path;
        options->learner_pid = learning.pid;
        status = master_main(options);
        learning_end(&learning);
        return status;
}

int main(int argc, char **argv)
{
        static char spawner[PATH_MAX], loader[PATH_MAX], store[PATH_MAX];
        struct command_line cl = {
                .master = {.spawner_program = spawner, .loader_program = loader, .store_program = store}};
        int status;

        if (fd_fill_stdio() < 0)
                return EX_OSERR;
        log_open("poppod");
        status = parse(&cl, argc, argv);
        if (status >= 0)
                return status;
        if (cl.action != RUN)
                return check_or_dump(&cl);
        if (!find_helper(HELPER("poppod-spawner"), spawner, sizeof(spawner)) ||
                !find_helper(HELPER("poppod-loader"), loader, sizeof(loader)) ||
                !find_helper(HELPER("poppod-store"), store, sizeof(store)))
                return EX_OSFILE;
        return cl.master.learn ? learn(&cl.master) : master_main(&cl.master);
}

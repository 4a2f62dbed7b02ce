/* What the kernel says of a dead worker, as its task is told. */
#include "master/verdict.h"

#include "wire/exits.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

struct row {
        bool killed;
        int status;
        enum wire_code ours, code;
        const char *text, *last_words;
};

static void test_each_death_has_its_code_and_sentence(void **state)
{
        const struct row rows[] = {
                {true, SIGSYS, WIRE_OK, WIRE_SYSCALL_DENIED, "the worker made a system call that its sandbox forbids"},
                {true, SIGXCPU, WIRE_OK, WIRE_CPU_LIMIT, "the worker used all the CPU time that it may"},
                {true, SIGXFSZ, WIRE_OK, WIRE_OUTPUT_LIMIT, "the worker wrote a larger file than it may"},
                {true, SIGSEGV, WIRE_OK, WIRE_WORKER_CRASHED, "the worker was killed by signal 11 (SEGV)"},
                {true, SIGRTMIN + 1, WIRE_OK, WIRE_WORKER_CRASHED, "the worker was killed by signal 35"},
                {true, SIGKILL, WIRE_TIMEOUT, WIRE_TIMEOUT, "the worker was killed: because"},
                {true, SIGSYS, WIRE_CANCELLED, WIRE_CANCELLED, "the worker was killed: because"},
                {false, WORKER_EXIT_STUCK, WIRE_OK, WIRE_TIMEOUT, "the worker could not be interrupted at its deadline"},
                {false, WORKER_EXIT_LOCKDOWN, WIRE_OK, WIRE_WORKER_CRASHED, "the worker could not lock itself down"},
                {false, WORKER_EXIT_MEMORY, WIRE_OK, WIRE_OUT_OF_MEMORY, "the worker had no memory for its own buffers"},
                {false, 0, WIRE_OK, WIRE_WORKER_CRASHED, "the worker exited with status 0"},
                {false, WORKER_EXIT_QUIT, WIRE_OK, WIRE_WORKER_CRASHED, "the worker was ended by its plugin, which called exit()"},
                {false, WORKER_EXIT_CPU, WIRE_OK, WIRE_CPU_LIMIT,
                        "the worker used more CPU time than its task may, and did not stop"},
                {false, SIGSYS, WIRE_OK, WIRE_WORKER_CRASHED, "the worker exited with status 31"},
                {false, WORKER_EXIT_HANDLER, WIRE_OK, WIRE_WORKER_CRASHED, "the worker could not load its handler: it is gone",
                        "it is gone"},
                {false, 1, WIRE_OK, WIRE_WORKER_CRASHED, "the worker exited with status 1: no module", "no module"},
                {true, SIGKILL, WIRE_TIMEOUT, WIRE_TIMEOUT, "the worker was killed: because: it would not", "it would not"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct worker_death death = {.killed = rows[i].killed, .status = rows[i].status,
                        .last_words = rows[i].last_words};
                char text[VERDICT_TEXT];

                assert_int_equal(verdict_of_death(&death, rows[i].ours, "because", text, sizeof(text)), rows[i].code);
                assert_string_equal(text, rows[i].text);
        }
}

static void test_a_programs_statuses_are_its_own(void **state)
{
        struct worker_death death = {.program = true, .status = WORKER_EXIT_STUCK, .last_words = "bye"};
        char text[VERDICT_TEXT];

        (void)state;
        assert_int_equal(verdict_of_death(&death, WIRE_OK, NULL, text, sizeof(text)), WIRE_WORKER_CRASHED);
        assert_string_equal(text, "the program exited with status 110: bye");
        death = (struct worker_death){.program = true, .killed = true, .status = SIGSYS};
        assert_int_equal(verdict_of_death(&death, WIRE_OK, NULL, text, sizeof(text)), WIRE_SYSCALL_DENIED);
        assert_string_equal(text, "the program made a system call that its sandbox forbids");
}

static void test_a_long_reason_is_cut_to_size(void **state)
{
        struct worker_death death = {.killed = true, .status = SIGKILL};
        char text[20];

        (void)state;
        verdict_of_death(&death, WIRE_TIMEOUT, "a reason that does not fit", text, sizeof(text));
        assert_string_equal(text, "the worker was kill");
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_death_has_its_code_and_sentence),
                cmocka_unit_test(test_a_programs_statuses_are_its_own),
                cmocka_unit_test(test_a_long_reason_is_cut_to_size),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The validation table: what a line is taken for, and what it is refused for; and that the shell agrees. */
#include "worker/shell/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* Words in brackets, joined as they are written: [ls][-l] && [true]. */
static void render(const struct command *c, char *out, size_t room)
{
        static const char *const joins[] = {"", " && ", " || ", " ; "};
        size_t n = 0;

        *out = '\0';
        for (size_t i = 0; i < command_count(c); i++) {
                const struct command_simple *s = command_at(c, i);

                n += (size_t)snprintf(out + n, room - n, "%s", joins[s->join]);
                for (size_t k = 0; k < s->n; k++)
                        n += (size_t)snprintf(out + n, room - n, "[%s]", command_word(c, s, k));
        }
}

static const struct {
        const char *line, *commands;
} accepted[] = {
        {"ls", "[ls]"},
        {"ls -l /usr", "[ls][-l][/usr]"},
        {"  ls\t-l  ", "[ls][-l]"},
        {"/bin/ls", "[/bin/ls]"},
        {"./run.sh", "[./run.sh]"},
        {"\n\n ls \n\n", "[ls]"},
        {"# nothing but\nls # the list", "[ls]"},
        {"ls a#b", "[ls][a#b]"},
        {"ls 'a file'", "[ls][a file]"},
        {"ls 'a'\"b\"c", "[ls][abc]"},
        {"ls ''", "[ls][]"},
        {"ls \"\" ''", "[ls][][]"},
        {"ls '$HOME `id` * \\'", "[ls][$HOME `id` * \\]"},
        {"ls \"a ' b\"", "[ls][a ' b]"},
        {"ls \"a \\\" b\"", "[ls][a \" b]"},
        {"ls \"\\$HOME \\` \\\\\"", "[ls][$HOME ` \\]"},
        {"ls \"\\n \\x\"", "[ls][\\n \\x]"},
        {"ls \"* ? [a] ~ {a,b} | ; & < > ( ) #\"", "[ls][* ? [a] ~ {a,b} | ; & < > ( ) #]"},
        {"ls \\$HOME \\* \\; \\|", "[ls][$HOME][*][;][|]"},
        {"ls a\\ file", "[ls][a file]"},
        {"ls \\\\", "[ls][\\]"},
        {"ls \\'a\\'", "[ls]['a']"},
        {"ls a\\\nb", "[ls][ab]"},
        {"ls \\\n -l", "[ls][-l]"},
        {"ls \"a\\\nb\"", "[ls][ab]"},
        {"ls 'a\\\nb'", "[ls][a\\\nb]"},
        {"ls 'a\nb'", "[ls][a\nb]"},
        {"l\\s", "[ls]"},
        {"'l's", "[ls]"},
        {"a && b", "[a] && [b]"},
        {"a&&b", "[a] && [b]"},
        {"a || b", "[a] || [b]"},
        {"a; b", "[a] ; [b]"},
        {"a;b;", "[a] ; [b]"},
        {"a\nb\n", "[a] ; [b]"},
        {"a &&\n\n b", "[a] && [b]"},
        {"a || # or\n b", "[a] || [b]"},
        {"a;\nb", "[a] ; [b]"},
        {"a x && b y || c z; d", "[a][x] && [b][y] || [c][z] ; [d]"},
        {"a ; # the end", "[a]"},
        {"env A=b c", "[env][A=b][c]"},
        {"ls --color=auto", "[ls][--color=auto]"},
        {"1a=b", "[1a=b]"},
        {"'A'=b", "[A=b]"},
        {"find . -name x -exec ls {} \\;", "[find][.][-name][x][-exec][ls][{}][;]"},
        {"find ! -name x", "[find][!][-name][x]"},
        {"[ -f x ]", "[[][-f][x][]]"},
        {"test a = b", "[test][a][=][b]"},
        {"ls a~ b~c", "[ls][a~][b~c]"},
        {"ls '~'", "[ls][~]"},
        {"ls if then done", "[ls][if][then][done]"},
        {"'if' x", "[if][x]"},
        {"ls %s ^a @ , . : + - _ =", "[ls][%s][^a][@][,][.][:][+][-][_][=]"},
        {"ls ]", "[ls][]]"},
        {"ls \xc3\xa9 \xff", "[ls][\xc3\xa9][\xff]"},
        {"ls a\rb", "[ls][a\rb]"},
        {"ls 2", "[ls][2]"},
};

static const struct {
        const char *line, *what;
        size_t at;
} refused[] = {
        {"", "the end where a command should be", 1},
        {"   \n ", "the end where a command should be", 6},
        {"# ls", "the end where a command should be", 5},
        {"echo $HOME", "an expansion", 6},
        {"echo ${HOME}", "an expansion", 6},
        {"echo $(id)", "an expansion", 6},
        {"echo `id`", "an expansion", 6},
        {"echo \"$(id)\"", "an expansion", 7},
        {"echo \"`id`\"", "an expansion", 7},
        {"echo a$", "an expansion", 7},
        {"echo $'a'", "an expansion", 6},
        {"$SHELL", "an expansion", 1},
        {"echo \"a\\\\$HOME\"", "an expansion", 10},
        {"echo *", "a pattern", 6},
        {"ls a?b", "a pattern", 5},
        {"ls [ab]", "a pattern", 4},
        {"ls a[", "a pattern", 5},
        {"ls ~", "a home directory", 4},
        {"ls ~root", "a home directory", 4},
        {"ls a:~", "a home directory", 6},
        {"ls --dir=~", "a home directory", 10},
        {"ls {a,b}", "a brace", 4},
        {"ls a{b", "a brace", 5},
        {"ls a}", "a brace", 5},
        {"ls {}x", "a brace", 4},
        {"{ ls; }", "a brace", 1},
        {"ls > x", "a redirection", 4},
        {"ls >> x", "a redirection", 4},
        {"ls 2>&1", "a redirection", 5},
        {"ls < x", "a redirection", 4},
        {"cat << x", "a redirection", 5},
        {"ls >x", "a redirection", 4},
        {"> x", "no command before this", 1},
        {"ls | cat", "a pipe", 4},
        {"ls |& cat", "a pipe", 4},
        {"ls &", "a command in the background", 4},
        {"ls & cat", "a command in the background", 4},
        {"(ls)", "no command before this", 1},
        {"ls (x)", "a parenthesis", 4},
        {"f() { ls; }", "a parenthesis", 2},
        {"ls)", "a parenthesis", 3},
        {"A=b", "an assignment", 1},
        {"A=b ls", "an assignment", 1},
        {"ls; _a1=2 ls", "an assignment", 5},
        {"if true; then ls; fi", "a word of the shell's own", 1},
        {"while true; do ls; done", "a word of the shell's own", 1},
        {"ls; done", "a word of the shell's own", 5},
        {"! ls", "a word of the shell's own", 1},
        {"eval ls", "a word of the shell's own", 1},
        {"exec ls", "a word of the shell's own", 1},
        {". ./x", "a word of the shell's own", 1},
        {"command ls", "a word of the shell's own", 1},
        {"cd / && ls", "a word of the shell's own", 1},
        {"ls && trap x EXIT", "a word of the shell's own", 7},
        {"alias ls=rm", "a word of the shell's own", 1},
        {"set -e", "a word of the shell's own", 1},
        {"ls ;; ls", "a case's end", 4},
        {"ls ; ; ls", "no command before this", 6},
        {"; ls", "no command before this", 1},
        {"&& ls", "no command before this", 1},
        {"ls &&", "the end where a command should be", 6},
        {"ls || && ls", "no command before this", 7},
        {"ls\n&& ls", "no command before this", 4},
        {"ls 'a", "a quote that is not closed", 4},
        {"ls \"a", "a quote that is not closed", 4},
        {"ls \"a\\\"", "a quote that is not closed", 4},
        {"ls a\\", "a backslash with nothing behind it", 5},
};

static struct bytes bytes_of(const char *text)
{
        return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static void what_is_plain_is_taken_apart(void **state)
{
        (void)state;
        for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
                struct wire_refusal why = {0};
                struct command c;
                char seen[256];

                command_init(&c);
                if (command_parse(&c, bytes_of(accepted[i].line), &why))
                        fail_msg("%s\nis refused: %s", accepted[i].line, why.message);
                render(&c, seen, sizeof(seen));
                if (strcmp(seen, accepted[i].commands))
                        fail_msg("%s\nis taken for %s\nnot %s", accepted[i].line, seen, accepted[i].commands);
                command_fini(&c);
        }
}

static void what_is_more_is_refused_with_its_place(void **state)
{
        (void)state;
        for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
                struct wire_refusal why = {0};
                struct command c;
                char start[96];

                command_init(&c);
                if (command_parse(&c, bytes_of(refused[i].line), &why) != 1)
                        fail_msg("%s\nis not refused", refused[i].line);
                snprintf(start, sizeof(start), "%s at byte %zu of the command: ", refused[i].what,
                        refused[i].at);
                if (strncmp(why.message, start, strlen(start)) || why.code != WIRE_COMMAND_REFUSED)
                        fail_msg("%s\nis refused: %s\nnot: %s", refused[i].line, why.message, start);
                command_fini(&c);
        }
}

static void a_nul_is_refused(void **state)
{
        struct wire_refusal why = {0};
        struct command c;

        (void)state;
        command_init(&c);
        assert_int_equal(command_parse(&c, (struct bytes){(const uint8_t *)"ls\0ls", 5}, &why), 1);
        assert_non_null(strstr(why.message, "a NUL at byte 3"));
        command_fini(&c);
}

static void written_out_everything_is_quoted(void **state)
{
        struct wire_refusal why;
        struct command c;
        struct buf out;

        (void)state;
        command_init(&c);
        buf_init(&out, 0);
        assert_int_equal(command_parse(&c, bytes_of("ls -l \"it's\" || a && b; c ''"), &why), 0);
        for (size_t i = 0; i < command_count(&c); i++)
                assert_int_equal(command_write(&c, command_at(&c, i), i ? "/bin/x" : "/bin/ls", &out), 0);
        assert_int_equal(buf_append(&out, "", 1), 0);
        assert_string_equal(buf_head(&out), "'/bin/ls' '-l' 'it'\\''s' || '/bin/x' && '/bin/x'\n'/bin/x' ''");
        buf_fini(&out);
        command_fini(&c);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_plain_is_taken_apart),
                cmocka_unit_test(what_is_more_is_refused_with_its_place),
                cmocka_unit_test(a_nul_is_refused),
                cmocka_unit_test(written_out_everything_is_quoted),
        };

        return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}

/* Food for the parser of command lines. t succeeds, f fails; see fuzz_command.c. */
#include "fuzz.h"

#include <string.h>

const uint8_t fuzz_telling[] = " \t\n;&|<>()$`\\\"'*?[]#~={}!%tf:-ae0\r\x80\xff";
const size_t fuzz_n_telling = sizeof(fuzz_telling) - 1;

static const char *const lines[] = {"t", "f", "t a b", "t 'a b' \"c d\"", "t && f || t; f", "t a\nf b\n",
        "t a#b # c\nf", "t \\\n a", "t a\\\nb", "t \"a\\\nb\"", "t 'a\\\nb'", "t \"\\$a \\\\ \\x \\\"\"",
        "t '' \"\" a''b", "t \\a\\ \\;", "t a=b --c=d", "t ! { } if", "t ; t ;", "t &&\n# c\n f",
        "t [ ] {} %a ^ @ , . : + _ =", "\\t 'f' \"t\"", "\"t\" a; 'f' b", "t ~a", "t a~", "t $a", "t `f`",
        "t > a", "t | f", "t & f", "(t)", "a=b t", "if t; then f; fi", "t *", "t {a,b}", "t 'a", "t \"a",
        "t a\\", "t a:~ =~", "t \"*?[]~{}#;&|<>()'\"", "t '\"'\"'\"", "t 'it'\\''s'", "t a; ; t", "&& t",
        "t\n\n\nt", " \t t \t a \t ", "t a\rb", "t 2", "t -- -a", "t \\~ \\# \\* '#'", "f || f || t && t",
        "f && t; t || f"};

size_t fuzz_seed(size_t number, uint8_t *out)
{
        if (number >= sizeof(lines) / sizeof(lines[0]))
                return 0;
        memcpy(out, lines[number], strlen(lines[number]));
        return strlen(lines[number]);
}

/*
 * An example of a plugin: a task type of one's own, in C. {type, args: [text]} gives {words, longest}.
 *
 *   "taskTypes": {"words": {"plugin": "/usr/local/lib/poppo/words.so"}}
 *   $ poppo run --type words --arg '"to be or not to be"'
 *   {"words":6,"longest":3}
 */
#include <ctype.h>
#include <msgpack.h>
#include <poppo/plugin.h>
#include <string.h>

/* The first of the task's `args`, which is to be a string. */
static const msgpack_object *find_text(const msgpack_object *task)
{
        for (uint32_t i = 0; i < task->via.map.size; i++) {
                const msgpack_object *key = &task->via.map.ptr[i].key, *args = &task->via.map.ptr[i].val;

                if (key->type == MSGPACK_OBJECT_STR && key->via.str.size == 4 && !memcmp(key->via.str.ptr, "args", 4) &&
                        args->type == MSGPACK_OBJECT_ARRAY && args->via.array.size &&
                        args->via.array.ptr[0].type == MSGPACK_OBJECT_STR)
                        return &args->via.array.ptr[0];
        }
        return NULL;
}

static int give(struct poppo_run *run, uint64_t words, uint64_t longest)
{
        enum poppo_answer answer;
        msgpack_sbuffer out;
        msgpack_packer p;

        msgpack_sbuffer_init(&out);
        msgpack_packer_init(&p, &out, msgpack_sbuffer_write);
        msgpack_pack_map(&p, 2);
        msgpack_pack_str_with_body(&p, "words", 5);
        msgpack_pack_uint64(&p, words);
        msgpack_pack_str_with_body(&p, "longest", 7);
        msgpack_pack_uint64(&p, longest);
        answer = run->host->result(run, out.data, out.size);
        msgpack_sbuffer_destroy(&out);
        return answer;
}

static int count_words(struct poppo_run *run, const char *text, size_t len)
{
        uint64_t words = 0, longest = 0, letters = 0;

        for (size_t i = 0; i < len; i++) {
                letters = isspace((unsigned char)text[i]) ? 0 : letters + 1;
                words += letters == 1;
                longest = letters > longest ? letters : longest;
        }
        return give(run, words, longest);
}

static int run_task(struct poppo_run *run)
{
        msgpack_unpacked task;
        const msgpack_object *text;
        int r = 1;

        msgpack_unpacked_init(&task);
        if (msgpack_unpack_next(&task, run->task.data, run->task.size, NULL) == MSGPACK_UNPACK_SUCCESS) {
                text = find_text(&task.data);
                if (text)
                        r = count_words(run, text->via.str.ptr, text->via.str.size);
                else
                        run->host->fail(run, "INVALID_TASK", "args must begin with a string", NULL, 0);
        }
        msgpack_unpacked_destroy(&task);
        return r;
}

const struct poppo_plugin poppo_plugin = {POPPO_PLUGIN_HEAD, .name = "words 1.0", .run = run_task};

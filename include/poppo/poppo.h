/*
 * libpoppo: hands tasks to poppod(8) over its socket and gets their results. libpoppo(3) has a complete example.
 *
 *   struct poppo *p;
 *   struct poppo_reply *reply;
 *
 *   if (poppo_new(&p) < 0)
 *           return 1;
 *   if (poppo_connect(p, NULL) || poppo_run(p, "{\"type\":\"execute-code\",\"code\":\"6*7\"}", NULL, &reply))
 *           fprintf(stderr, "%s\n", poppo_error_message(p));
 *   else
 *           printf("%s\n", poppo_reply_json(reply, "/result/value"));
 *
 * What a function returns, where nothing else is said:
 *   0          done
 *   positive   an enum poppo_condition: the supervisor answered, but not with a success
 *   negative   -errno: nothing was answered. Met by callers: -ENOENT and -ECONNREFUSED (nobody listens), -ECONNRESET
 *              (the connection was lost), -ENOTCONN (there is none), -ETIMEDOUT (poppo_set_timeout), -EINTR (a signal's
 *              handler ran), -EINVAL (an argument, for example bad JSON), -EMSGSIZE (the call is over the supervisor's
 *              frame limit, or alone over poppo_set_buffer's), -ENOBUFS (calls that wait already leave no room in
 *              poppo_set_buffer's limit, or are POPPO_PENDING_MAX), -EDEADLK (a blocking function inside a callback),
 *              -EPROTO (the peer is no poppod), -ENOMEM
 * After any but 0, poppo_error_message() has a sentence for people and poppo_error_code() the code for programs.
 *
 * Threads: a handle and its replies belong to one thread at a time; different handles are independent. The library has
 * no global state, starts no thread, installs no signal handler and is never the cause of SIGPIPE.
 * Forks: a child must not use its parent's handles.
 *
 * Values cross as JSON text or as MessagePack bytes, as the caller likes. From JSON: integers stay integers (those beyond
 * -2^63 and 2^63 - 1 become floating point, and with one of them in a text so do all beyond 2^53), other numbers are
 * doubles, a key must not occur twice in an object, nothing nests deeper than 32, the call's own object included. To JSON:
 * binary is a base64 string, a timestamp a string like "2026-01-31T12:00:00.000Z", NaN and the infinities are null, a map's
 * key that is no string becomes the string of its JSON (inside of such a key: base64 of its MessagePack), bytes that are no
 * UTF-8 become U+FFFD, another extension is {"type": N, "data": base64}. Doubles have as many digits as it takes to read
 * the same back.
 *
 * All of it is there since 0.1.0 where nothing else is said. Durations are milliseconds.
 */
#ifndef POPPO_POPPO_H
#define POPPO_POPPO_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define POPPO_API __attribute__((visibility("default")))
#else
#define POPPO_API
#endif

/* A connection to a supervisor; and what it answered to one call. */
struct poppo;
struct poppo_reply;

enum poppo_condition {
        POPPO_REFUSED = 1, /* the supervisor refused: poppo_error_code() names why, for example "QUEUE_FULL" */
        POPPO_FAILED = 2,  /* the task has ended, but not in success: "/result/error/code" in the reply */
};

enum {
        POPPO_ID_SIZE = 37,          /* a task's id as text, and its NUL */
        POPPO_PENDING_MAX = 1000000, /* most calls of one connection that may wait for their reply */
};

/* The library's version, for example "0.1.0". Static. */
POPPO_API const char *poppo_version(void);

/* ---- the connection ---- */

/* Makes a handle that is not connected yet. The caller frees it with poppo_free(). -ENOMEM. */
POPPO_API int poppo_new(struct poppo **out);

/* Closes the connection as poppo_close() does and frees the handle. NULL is allowed. Not inside a callback. Replies that
 * were handed out stay good. */
POPPO_API void poppo_free(struct poppo *p);

/* Who speaks, for the supervisor's log: 1 to 64 bytes of UTF-8. Before poppo_connect(); "libpoppo" otherwise. */
POPPO_API int poppo_set_client(struct poppo *p, const char *name);

/* The longest that a blocking function waits for its reply, up to 100 years: 0, the default, is for ever. After -ETIMEDOUT the connection
 * is still good; the call itself is not taken back, and its late reply is dropped. */
POPPO_API int poppo_set_timeout(struct poppo *p, int64_t ms);

/* Most bytes of calls that wait for the supervisor to read them; 64 MiB otherwise. Before poppo_connect(). */
POPPO_API int poppo_set_buffer(struct poppo *p, size_t bytes);

/* Connects and greets. socket_path NULL: the environment's POPPO_SOCKET, else $XDG_RUNTIME_DIR/poppo/poppo.sock when it
 * exists, else /run/poppo/poppo.sock. POPPO_REFUSED: the supervisor does not want this peer (PERMISSION) or this
 * version (UNSUPPORTED_VERSION). A handle whose connection was closed or lost may connect again, but not inside a
 * callback. -EISCONN, -EDEADLK. */
POPPO_API int poppo_connect(struct poppo *p, const char *socket_path);

/* Greets on a connected stream socket of the caller's making; it is the handle's from now on, also after an error. */
POPPO_API int poppo_attach(struct poppo *p, int fd);

/* Closes the connection. Each pending call's callback gets its reply with the code CONNECTION_LOST, here and now. Tasks
 * that were submitted with wait and without durable are cancelled by the supervisor. Not inside a callback. */
POPPO_API void poppo_close(struct poppo *p);

/* The socket's path, also after a failure to connect; "" before poppo_connect(). The handle's. */
POPPO_API const char *poppo_socket_path(const struct poppo *p);

/* The supervisor's program and version ("poppod/0.1.0"), the handle's; its process id. "" and 0 before the greeting. */
POPPO_API const char *poppo_server_name(const struct poppo *p);
POPPO_API int64_t poppo_server_pid(const struct poppo *p);

/* What the last function that failed on this handle has to say: a sentence, and a code. The code is one of the
 * supervisor's, or CONNECTION_LOST, or "" for a failure on this side. The handle's, good until the next call. */
POPPO_API const char *poppo_error_message(const struct poppo *p);
POPPO_API const char *poppo_error_code(const struct poppo *p);

/* When to try again after QUEUE_FULL or PROJECT_LIMIT, in ms from now; -1: the supervisor did not say. */
POPPO_API int64_t poppo_error_retry_after(const struct poppo *p);

/* The exit status that poppo(1) gives to a code: 65 for INVALID_TASK, 75 for QUEUE_FULL ...; 1 for an unknown one. */
POPPO_API int poppo_code_exit_status(const char *code);

/* The code's meaning in one sentence; NULL for an unknown one. Static. */
POPPO_API const char *poppo_code_text(const char *code);

/* ---- blocking calls ---- */
/*
 * They may be mixed with asynchronous ones: callbacks of other calls run meanwhile. `out` gets a reply that the caller
 * frees with poppo_reply_free(), or NULL unless 0 or POPPO_FAILED is returned; out itself may be NULL where the reply
 * has nothing of interest. Tasks, options and arguments are JSON objects as text; options may be NULL. poppo-protocol(7)
 * has their fields, and those of the replies.
 */

/* Any op. args: the op's fields, or NULL for none. Other than below, an ended task is 0 in whatever state it ended. */
POPPO_API int poppo_call(struct poppo *p, const char *op, const char *args, struct poppo_reply **out);
/* The same, with args as one MessagePack map. */
POPPO_API int poppo_call_msgpack(struct poppo *p, const char *op, const void *args, size_t len, struct poppo_reply **out);

/* Submits a task, waits for its end and gives its record under "/result". The task dies with the connection, unless its
 * options say durable. POPPO_FAILED with the reply: the task ended in failed, cancelled or dead. */
POPPO_API int poppo_run(struct poppo *p, const char *task, const char *options, struct poppo_reply **out);

/* Submits a task that outlives the connection, and gives its id. */
POPPO_API int poppo_submit(struct poppo *p, const char *task, const char *options, char id[POPPO_ID_SIZE]);

/* Waits for a task's end. As poppo_run(). POPPO_REFUSED with NOT_FOUND: no such task, or its result was let go. */
POPPO_API int poppo_wait(struct poppo *p, const char *id, struct poppo_reply **out);

/* The record as it is now, under "/result"; without value or error while the task has not ended. */
POPPO_API int poppo_result(struct poppo *p, const char *id, struct poppo_reply **out);

/* Follows a task: its output, what the running attempt wrote so far and then what it writes, comes as events; see
 * poppo_on_event(). Returns when the task has ended: the state it ended in is under "/state". */
POPPO_API int poppo_follow(struct poppo *p, const char *id, struct poppo_reply **out);

/* Cancels, and returns when the task has ended: the state it ended in is under "/state". */
POPPO_API int poppo_cancel(struct poppo *p, const char *id, struct poppo_reply **out);

/* One page of tasks, newest first: "/tasks" and "/more". filter: {state, projectId, limit, before}, or NULL. */
POPPO_API int poppo_list(struct poppo *p, const char *filter, struct poppo_reply **out);

/* The pool's counts; everything that `poppo daemon status` shows. */
POPPO_API int poppo_stats(struct poppo *p, struct poppo_reply **out);
POPPO_API int poppo_status(struct poppo *p, struct poppo_reply **out);

/* How many tasks of a project may run at once: 0 is unlimited. */
POPPO_API int poppo_project_limit(struct poppo *p, const char *project, int64_t limit, struct poppo_reply **out);

/* How many workers each project uses, under "/usage". project NULL: all of them. */
POPPO_API int poppo_project_usage(struct poppo *p, const char *project, struct poppo_reply **out);

/* ---- asynchronous calls ---- */
/*
 * Any number of calls may be under way; replies come in any order. In anyone's event loop:
 *   wait until poppo_fd() is ready for poppo_events(), then poppo_process(); replies arrive in their callbacks.
 * poppo_events() changes with every call sent: ask again before each wait.
 */

/* A callback's reply is the library's and good until the callback returns: poppo_reply_keep() for longer. A callback may
 * send further calls; it must not call a blocking function, poppo_process(), poppo_close() or poppo_free(). */

/* Queues a call; poppo_process() sends it. The callback is called exactly once if 0 is returned, never otherwise; NULL is
 * allowed. -ENOBUFS: let poppo_process() or poppo_step() make room, then try again. */
POPPO_API int poppo_send(struct poppo *p, const char *op, const char *args,
        void (*on_reply)(void *data, struct poppo_reply *reply), void *data);
POPPO_API int poppo_send_msgpack(struct poppo *p, const char *op, const void *args, size_t len,
        void (*on_reply)(void *data, struct poppo_reply *reply), void *data);

/* What JSON cannot say: raw bytes, for a value whose place a JSON Pointer names. */
struct poppo_raw {
        const char *pointer; /* "/task/options/stdin" */
        const void *data;
        size_t len;
};

/* Makes the MessagePack of a JSON text, for the functions named msgpack, with n runs of bytes in place of the strings that
 * stand at their pointers in the text. *out is from malloc() and the caller's. -EINVAL: not JSON, or no string there. */
POPPO_API int poppo_pack(struct poppo *p, const char *json, const struct poppo_raw *bytes, size_t n, void **out, size_t *len);

/* The descriptor to wait on, -1 without a connection. It stays the handle's. */
POPPO_API int poppo_fd(const struct poppo *p);

/* What to wait for, as poll(2) says it: POLLIN, with POLLOUT while calls wait to be sent. 0 without a connection. */
POPPO_API short poppo_events(const struct poppo *p);

/* Sends and receives what can be without blocking, and calls the callbacks. -ECONNRESET: the connection is lost and
 * every pending call got its reply with the code CONNECTION_LOST. */
POPPO_API int poppo_process(struct poppo *p);

/* For those without an event loop: waits up to timeout_ms (-1: for ever) for the socket, then poppo_process().
 * -ETIMEDOUT, -EINTR. */
POPPO_API int poppo_step(struct poppo *p, int timeout_ms);

/* How many calls wait for their reply. */
POPPO_API size_t poppo_pending(const struct poppo *p);

/* ---- events ---- */
/*
 * What the supervisor pushes: the output of tasks that are followed, by poppo_follow() or by a submit with "wait" and
 * "follow". An event is a reply to nothing, with the same accessors: "/event" is its name; an "output" has the task's "/id",
 * "/attempt" (from 1), "/stream" ("stdout", "stderr" or "console") and "/data", raw bytes for poppo_reply_bytes(). Each
 * stream of an attempt comes in order and whole, from its first byte; the last piece before the reply of the call that
 * follows.
 */

/* Where events go from now on; NULL, as from the start: nowhere. The callback is called inside of poppo_process() and of
 * whatever waits, blocking calls included. The event is good until it returns, poppo_reply_keep() for longer; it is held
 * to the rules of other callbacks. Events that come while nobody processes wait in the socket, and hold up its replies. */
POPPO_API void poppo_on_event(struct poppo *p, void (*on_event)(void *data, struct poppo_reply *event), void *data);

/* ---- replies ---- */
/*
 * `pointer` is a JSON Pointer (RFC 6901) into the reply: "" is all of it but the envelope, "/result/value" a record's
 * value, "/result/logs/0/text" the first line that was logged. What accessors return is the reply's and good until it
 * is freed.
 */

/* Makes a reply that a callback got the caller's own, to be freed with poppo_reply_free(), and returns it. */
POPPO_API struct poppo_reply *poppo_reply_keep(struct poppo_reply *reply);
/* Once for each keep, and for each reply of a blocking call. NULL is allowed. */
POPPO_API void poppo_reply_free(struct poppo_reply *reply);

/* 0: a success. POPPO_REFUSED. -ECONNRESET: the connection was lost first, and nobody knows what became of the call. */
POPPO_API int poppo_reply_status(const struct poppo_reply *reply);

/* Of a reply that is no success: the code and the sentence. "" of one that is. */
POPPO_API const char *poppo_reply_code(struct poppo_reply *reply);
POPPO_API const char *poppo_reply_message(struct poppo_reply *reply);

/* The value there as compact JSON. NULL: there is none (errno ENOENT), or no memory (ENOMEM). */
POPPO_API const char *poppo_reply_json(struct poppo_reply *reply, const char *pointer);

/* The string there, without quotes, NUL-terminated; *len (unless NULL) counts bytes, since a string may hold a NUL. NULL
 * as above, and for a value of another type (errno EINVAL). */
POPPO_API const char *poppo_reply_string(struct poppo_reply *reply, const char *pointer, size_t *len);

/* The bytes there, of a string or of binary, as they are and without a NUL; the reply's. -ENOENT; -EINVAL: another type. */
POPPO_API int poppo_reply_bytes(const struct poppo_reply *reply, const char *pointer, const void **data, size_t *len);

/* The integer there. -ENOENT; -EINVAL: another type; -ERANGE. */
POPPO_API int poppo_reply_int(const struct poppo_reply *reply, const char *pointer, int64_t *out);

/* The value there as MessagePack. -ENOENT. */
POPPO_API int poppo_reply_msgpack(const struct poppo_reply *reply, const char *pointer, const void **data, size_t *len);

#ifdef __cplusplus
}
#endif
#endif

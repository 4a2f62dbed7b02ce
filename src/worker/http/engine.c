/* Callbacks of libcurl's socket interface, which must not call back into it: they only note what it wants. */
#include "worker/http/engine.h"

#include "base/clock.h"
#include "base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

/* Idle connections that are kept. */
enum { KEPT = 64 };

static uint64_t event_data(const struct engine *e, curl_socket_t fd)
{
        return (uint64_t)e->id << 32 | (uint32_t)fd;
}

/* libcurl may close a socket and get its number again before it says so. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *mark)
{
        struct engine *e = data;
        struct epoll_event event = {.data.u64 = event_data(e, fd)};

        (void)easy;
        (void)mark;
        if (what == CURL_POLL_REMOVE) {
                epoll_ctl(e->epoll, EPOLL_CTL_DEL, fd, NULL);
                return 0;
        }
        event.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
        if (epoll_ctl(e->epoll, EPOLL_CTL_MOD, fd, &event) < 0 && errno == ENOENT &&
                epoll_ctl(e->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
                return error_origin(-1);
        return 0;
}

static int on_timer(CURLM *multi, long ms, void *data)
{
        struct engine *e = data;

        (void)multi;
        e->timer = ms < 0 ? 0 : clock_now() + ms * NS_PER_MS;
        return 0;
}

struct engine *engine_new(int epoll, uint32_t id, struct settings *settings)
{
        struct engine *e = calloc(1, sizeof(*e));

        if (e)
                *e = (struct engine){
                        .multi = curl_multi_init(), .settings = settings, .epoll = epoll, .id = id};
        if (!e || !e->multi) {
                settings_free(settings);
                free(e);
                return NULL;
        }
        list_init(&e->node);
        curl_multi_setopt(e->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
        curl_multi_setopt(e->multi, CURLMOPT_SOCKETDATA, e);
        curl_multi_setopt(e->multi, CURLMOPT_TIMERFUNCTION, on_timer);
        curl_multi_setopt(e->multi, CURLMOPT_TIMERDATA, e);
        curl_multi_setopt(e->multi, CURLMOPT_MAXCONNECTS, (long)KEPT);
        return e;
}

void engine_free(struct engine *e)
{
        list_unlink(&e->node);
        curl_multi_cleanup(e->multi);
        settings_free(e->settings);
        free(e);
}

int engine_add(struct engine *e, CURL *easy)
{
        if (curl_multi_add_handle(e->multi, easy) != CURLM_OK)
                return error_origin(-ENOMEM);
        e->n++;
        return 0;
}

void engine_remove(struct engine *e, CURL *easy)
{
        curl_multi_remove_handle(e->multi, easy);
        e->n--;
}

void engine_on_event(struct engine *e, uint64_t data, uint32_t events)
{
        int ready = (events & EPOLLIN ? CURL_CSELECT_IN : 0) | (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                    (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
        int running;

        curl_multi_socket_action(e->multi, (curl_socket_t)(uint32_t)data, ready, &running);
}

void engine_on_time(struct engine *e, int64_t now)
{
        int running;

        if (!e->timer || now < e->timer)
                return;
        e->timer = 0;
        curl_multi_socket_action(e->multi, CURL_SOCKET_TIMEOUT, 0, &running);
}

bool engine_next_ended(struct engine *e, CURL **easy, CURLcode *result)
{
        const CURLMsg *m;
        int left;

        while ((m = curl_multi_info_read(e->multi, &left)))
                if (m->msg == CURLMSG_DONE) {
                        *easy = m->easy_handle;
                        *result = m->data.result;
                        return true;
                }
        return false;
}

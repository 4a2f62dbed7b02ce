/* The value of an http-request, or the data of its failure: {status, statusText, headers, data}. */
#pragma once

#include "worker/http/request.h"
#include "worker/http/response.h"
#include "worker/outcome.h"

/* Fills the outcome from a whole response: success, HTTP_STATUS with the response as data, or why it is no
 * value. */
void result_fill(
        struct outcome *out, const struct request *request, const struct response *response, CURL *easy);

/* Stores of OpenSSL, with the flags that libcurl gives its own: what is in them is trusted, be it a root or
 * not. */
#include "worker/http/trust.h"

#include "base/error.h"

#include <curl/curl.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>

static X509_STORE *system_store;

static X509_STORE *new_store(void)
{
        X509_STORE *store = X509_STORE_new();

        if (store)
                X509_STORE_set_flags(store, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
        return store;
}

int trust_load_system(void)
{
        const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
        const char *path = curl->cainfo ? curl->cainfo : X509_get_default_cert_file();

        system_store = new_store();
        if (!system_store)
                return error_origin(-ENOMEM);
        if (X509_STORE_load_file(system_store, path) != 1) {
                ERR_clear_error();
                X509_STORE_free(system_store);
                system_store = NULL;
                return error_origin(-ENOENT);
        }
        return 0;
}

X509_STORE *trust_system(void)
{
        return system_store && X509_STORE_up_ref(system_store) ? system_store : NULL;
}

/* How many certificates were read; negative: one of them cannot be. */
static int add_all(X509_STORE *store, BIO *pem)
{
        unsigned long error;
        X509 *certificate;
        int n = 0;

        while ((certificate = PEM_read_bio_X509_AUX(pem, NULL, NULL, NULL))) {
                int added = X509_STORE_add_cert(store, certificate);

                X509_free(certificate);
                if (added != 1)
                        return -1;
                n++;
        }
        /* The end of the text shows as a missing beginning. */
        error = ERR_peek_last_error();
        return ERR_GET_REASON(error) == PEM_R_NO_START_LINE ? n : -1;
}

X509_STORE *trust_of(struct bytes pem)
{
        BIO *bio = pem.len && pem.len <= INT_MAX ? BIO_new_mem_buf(pem.data, (int)pem.len) : NULL;
        X509_STORE *store = bio ? new_store() : NULL;
        int n = store ? add_all(store, bio) : 0;

        ERR_clear_error();
        BIO_free(bio);
        if (n > 0)
                return store;
        X509_STORE_free(store);
        return NULL;
}

/* SPDX-License-Identifier: MIT */
#include "gateway/client_cert.h"

#include "proto/wire.h"

#include <errno.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/pem.h>

#define FIELDS       6
#define SERIAL_BYTES 20 /* RFC 5280 has no longer one */

/* What was written to memory, if it was. */
static int put_written(buf_t *out, const char *key, BIO *text, bool is_written)
{
    char *data;

    if (!is_written) {
        return -ENOMEM;
    }
    long len = BIO_get_mem_data(text, &data);
    return wire_put_entry_str(
        out, key, (wire_bytes_t){(const uint8_t *)data, (size_t)len});
}

/* As RFC 2253 writes it, in ASCII: no two names are written alike. */
static int put_name(buf_t *out, const char *key, const X509_NAME *name)
{
    BIO *text = BIO_new(BIO_s_mem());
    bool is_written =
        text != NULL && X509_NAME_print_ex(text, name, 0, XN_FLAG_RFC2253) >= 0;
    int rc = put_written(out, key, text, is_written);

    BIO_free(text);
    return rc;
}

static int put_pem(buf_t *out, const X509 *cert)
{
    BIO *text = BIO_new(BIO_s_mem());
    bool is_written = text != NULL && PEM_write_bio_X509(text, cert) == 1;
    int rc = put_written(out, "pem", text, is_written);

    BIO_free(text);
    return rc;
}

/* Its bytes in hexadecimal, with colons: 0a:1b:2c. */
static int put_serial(buf_t *out, const X509 *cert)
{
    static const char digits[] = "0123456789abcdef";
    const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
    char text[3 * SERIAL_BYTES], *at = text;

    for (int i = 0; i < serial->length && i < SERIAL_BYTES; i++) {
        *at++ = digits[serial->data[i] >> 4];
        *at++ = digits[serial->data[i] & 0xf];
        *at++ = ':';
    }
    size_t len = at == text ? 0 : (size_t)(at - text) - 1;
    return wire_put_entry_str(out, "serial",
                              (wire_bytes_t){(const uint8_t *)text, len});
}

/* Unix time in ms; 0 for what is before it, or no time. */
static int put_time(buf_t *out, const char *key, const ASN1_TIME *time)
{
    struct tm parts;
    time_t seconds = ASN1_TIME_to_tm(time, &parts) == 1 ? timegm(&parts) : 0;

    return wire_put_entry_uint(out, key,
                               seconds > 0 ? (uint64_t)seconds * 1000 : 0);
}

int client_cert_put(buf_t *out, const X509 *cert)
{
    int rc = wire_put_map(out, FIELDS);

    if (rc == 0 &&
        (rc = put_name(out, "subject", X509_get_subject_name(cert))) == 0 &&
        (rc = put_name(out, "issuer", X509_get_issuer_name(cert))) == 0 &&
        (rc = put_serial(out, cert)) == 0 &&
        (rc = put_time(out, "not_before", X509_get0_notBefore(cert))) == 0 &&
        (rc = put_time(out, "not_after", X509_get0_notAfter(cert))) == 0) {
        rc = put_pem(out, cert);
    }
    return rc;
}

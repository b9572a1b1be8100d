/* SPDX-License-Identifier: MIT
 *
 * A client's certificate as a handler of $connect sees it.
 */
#include "gateway/client_cert.h"
#include "proto/wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#define TEXT_MAX 8192

/* One that vouches for itself, of this name, and what is told of it. */
static X509 *cert;
static buf_t told;

static void add_name(const char *key, const char *value)
{
    X509_NAME *name = X509_get_subject_name(cert);

    assert_int_equal(X509_NAME_add_entry_by_txt(name, key, MBSTRING_UTF8,
                                                (const uint8_t *)value, -1, -1,
                                                0),
                     1);
}

static void set_serial(const uint8_t *bytes, int len)
{
    BIGNUM *number = BN_bin2bn(bytes, len, NULL);

    assert_non_null(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)));
    BN_free(number);
}

/* Between these two; text as ASN.1 writes it. */
static void set_times(const char *from, const char *until)
{
    assert_int_equal(ASN1_TIME_set_string(X509_getm_notBefore(cert), from), 1);
    assert_int_equal(ASN1_TIME_set_string(X509_getm_notAfter(cert), until), 1);
}

static int set_up(void **state)
{
    (void)state;
    cert = X509_new();
    buf_init(&told, TEXT_MAX);
    add_name("CN", "device-7");
    set_serial((const uint8_t[]){0x0a, 0x1b, 0xff}, 3);
    set_times("20260131120000Z", "20270131120000Z");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    X509_free(cert);
    buf_fini(&told);
    return 0;
}

static wire_bytes_t map(void)
{
    return (wire_bytes_t){told.data, told.len};
}

static void tell(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");

    assert_int_equal(X509_set_pubkey(cert, key), 1);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    EVP_PKEY_free(key);
    assert_int_equal(client_cert_put(&told, cert), 0);
}

static void says(const char *key, const char *text)
{
    assert_true(wire_is(wire_map_str(map(), key), text));
}

static void names_are_written_from_the_nearest_to_the_widest(void **state)
{
    X509_NAME *issuer = X509_NAME_new();

    (void)state;
    add_name("O", "Devices");
    X509_NAME_add_entry_by_txt(issuer, "C", MBSTRING_ASC, (const uint8_t *)"DE",
                               -1, -1, 0);
    X509_set_issuer_name(cert, issuer);
    X509_NAME_free(issuer);
    tell();
    says("subject", "O=Devices,CN=device-7");
    says("issuer", "C=DE");
}

static void what_a_name_could_pretend_is_escaped(void **state)
{
    (void)state;
    add_name("O", "a,CN=admin");
    add_name("OU", "\xc3\xa9");
    tell();
    says("subject", "OU=\\C3\\A9,O=a\\,CN=admin,CN=device-7");
}

static void the_serial_is_its_bytes(void **state)
{
    (void)state;
    tell();
    says("serial", "0a:1b:ff");
}

static void the_longest_serial_is_written_whole(void **state)
{
    uint8_t bytes[20];

    (void)state;
    memset(bytes, 0x7f, sizeof bytes);
    set_serial(bytes, sizeof bytes);
    tell();
    assert_int_equal(wire_map_str(map(), "serial").len, 20 * 3 - 1);
}

static void times_are_unix_ms(void **state)
{
    (void)state;
    tell();
    assert_int_equal(wire_map_uint(map(), "not_before", 0), 1769860800000);
    assert_int_equal(wire_map_uint(map(), "not_after", 0), 1801396800000);
}

static void a_time_before_1970_is_0(void **state)
{
    (void)state;
    set_times("19500101000000Z", "99991231235959Z");
    tell();
    assert_int_equal(wire_map_uint(map(), "not_before", 1), 0);
    assert_int_equal(wire_map_uint(map(), "not_after", 0), 253402300799000);
}

static void its_pem_is_the_certificate(void **state)
{
    (void)state;
    tell();
    wire_bytes_t pem = wire_map_str(map(), "pem");
    BIO *text = BIO_new_mem_buf(pem.data, (int)pem.len);
    X509 *read = PEM_read_bio_X509(text, NULL, NULL, NULL);
    assert_non_null(read);
    assert_int_equal(X509_cmp(read, cert), 0);
    X509_free(read);
    BIO_free(text);
}

static void one_that_has_no_room_is_not_told(void **state)
{
    buf_t small;

    (void)state;
    tell();
    for (size_t room = 1; room < told.len; room += 7) {
        buf_init(&small, room);
        assert_int_equal(client_cert_put(&small, cert), -ENOBUFS);
        buf_fini(&small);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names_are_written_from_the_nearest_to_the_widest),
        TEST(what_a_name_could_pretend_is_escaped),
        TEST(the_serial_is_its_bytes),
        TEST(the_longest_serial_is_written_whole),
        TEST(times_are_unix_ms),
        TEST(a_time_before_1970_is_0),
        TEST(its_pem_is_the_certificate),
        TEST(one_that_has_no_room_is_not_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

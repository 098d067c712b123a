/* Golden frames: written by another implementation (tests/data/golden/make),
 * read here and written again to the same bytes. */
#include "tests/lib/fixture.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "proto/codec.h"
#include "proto/frame.h"
#include "proto/method.h"
#include "proto/payload.h"

typedef struct Golden {
        char *bytes;
        size_t size;
        Envelope envelope;
} Golden;

static Golden golden_read(const char *method, const char *kind)
{
        Golden golden;
        char name[64];
        Frame frame;
        size_t wanted;
        bool id_known;

        (void)snprintf(name, sizeof(name), "golden/%s%s", method, kind);
        golden.bytes = fixture_read(name, &golden.size);
        ck_assert_int_eq(frame_parse((uint8_t *)golden.bytes, golden.size, LIMIT_MESSAGE_OUT, 0, &frame, &wanted),
                         FRAME_COMPLETE);
        ck_assert_uint_eq(FRAME_HEADER_SIZE + frame.size, golden.size);
        ck_assert_int_eq(payload_check(frame.payload, frame.size), PAYLOAD_OK);
        ck_assert_int_eq(envelope_parse(frame.payload, frame.size, &golden.envelope, &id_known), 0);
        return golden;
}

static void check_frame(const Golden *golden, const Buffer *payload)
{
        uint8_t header[FRAME_HEADER_SIZE];

        frame_write_header(header, (uint32_t)payload->size, 0);
        ck_assert_mem_eq(header, golden->bytes, sizeof(header));
        ck_assert(text_equal(buffer_text(payload), (Text){ golden->bytes + sizeof(header), golden->size - sizeof(header) }));
}

static void check_body(const SchemaStruct *schema, const Golden *golden, Buffer *payload)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        void *message = arena_bytes(&arena, schema->size);
        Fault fault = FAULT_NULL;
        int r;

        ck_assert_ptr_nonnull(message);
        r = codec_decode(schema, (const uint8_t *)golden->envelope.body.data, golden->envelope.body.size, &arena, message,
                         &fault);
        ck_assert_msg(r == 0, "%s: %s", schema->type, fault.message);
        ck_assert_int_eq(codec_encode(schema, message, true, payload), 0);
        check_frame(golden, payload);
}

START_TEST(test_golden_requests)
{
        for (unsigned i = 0; i < _METHOD_MAX; i++) {
                CLEANUP_BUFFER Buffer payload = BUFFER_NULL;
                Golden golden = golden_read(method_table[i].name, ".request");

                ck_assert_int_eq(golden.envelope.type, 0);
                ck_assert_uint_eq(method_find(golden.envelope.method), i);
                ck_assert_int_eq(envelope_write_request(&payload, golden.envelope.id, golden.envelope.method), 0);
                check_body(method_table[i].params, &golden, &payload);
                alloc_free(golden.bytes);
        }
}
END_TEST

START_TEST(test_golden_answers)
{
        for (unsigned i = 0; i < _METHOD_MAX; i++) {
                CLEANUP_BUFFER Buffer payload = BUFFER_NULL;
                Golden golden = golden_read(method_table[i].name, ".answer");

                ck_assert_int_eq(golden.envelope.type, 1);
                ck_assert_int_eq(envelope_write_answer(&payload, golden.envelope.id), 0);
                check_body(method_table[i].result, &golden, &payload);
                alloc_free(golden.bytes);
        }
}
END_TEST

START_TEST(test_golden_notification_and_error)
{
        CLEANUP_BUFFER Buffer payload = BUFFER_NULL;
        Golden golden = golden_read("progress", "");
        Fault fault = { .name = FAULT_NO_MODE, .message = "Register one." };

        ck_assert_int_eq(golden.envelope.type, 2);
        ck_assert_int_eq(envelope_write_notification(&payload, golden.envelope.method), 0);
        check_body(&schema_Progress, &golden, &payload);
        alloc_free(golden.bytes);
        golden = golden_read("error", "");
        payload.size = 0;
        ck_assert_int_eq(envelope_write_error(&payload, golden.envelope.id, &fault), 0);
        check_frame(&golden, &payload);
        alloc_free(golden.bytes);
}
END_TEST

/* Not sparse: every key stands there, absent ones as nil. */
START_TEST(test_all_keys)
{
        CLEANUP_BUFFER Buffer buffer = BUFFER_NULL;
        MsgEntry entry = { .layer = TEXT("L") };
        MsgPage page = { .after = INTEGER_PRESENT(0) };

        ck_assert_int_eq(codec_encode(&schema_Page, &page, false, &buffer), 0);
        ck_assert_mem_eq(buffer.data, "\x82\xa5" "after\x00\xa5limit\xc0", buffer.size);
        buffer.size = 0;
        ck_assert_int_eq(codec_encode(&schema_Entry, &entry, true, &buffer), 0);
        ck_assert(text_equal(buffer_text(&buffer), TEXT("\x81\xa5layer\xa1L")));
        buffer.size = 0;
        ck_assert_int_eq(codec_encode(&schema_Entry, &entry, false, &buffer), 0);
        ck_assert(text_equal(buffer_text(&buffer), TEXT("\x85\xa5layer\xa1L\xa6" "device\xc0\xae" "min_capability\xc0\xae"
                                                        "max_capability\xc0\xa5modes\x80")));
}
END_TEST

/* A list that must be there is there, empty or not. */
START_TEST(test_sparse_keeps_what_is_required)
{
        CLEANUP_BUFFER Buffer buffer = BUFFER_NULL;
        MsgClientsResult clients = { .next = INTEGER_ABSENT };
        MsgViewExtend extend = { .view = 2 };

        ck_assert_int_eq(codec_encode(&schema_ClientsResult, &clients, true, &buffer), 0);
        ck_assert(text_equal(buffer_text(&buffer), TEXT("\x81\xa7" "clients\x90")));
        buffer.size = 0;
        ck_assert_int_eq(codec_encode(&schema_ViewExtend, &extend, true, &buffer), 0);
        ck_assert(text_equal(buffer_text(&buffer), TEXT("\x82\xa4view\x02\xa7inherit\xc2")));
}
END_TEST

/* A result that lacks what must be there is refused, wherever it is missing. */
START_TEST(test_missing)
{
        CLEANUP_BUFFER Buffer buffer = BUFFER_NULL;
        MsgMappingEntry entries[] = { { .layer = TEXT("L"), .source = TEXT("stored") }, { .source = TEXT("stored") } };
        MsgMappingListResult list = { .entries = { entries, 2 } };
        MsgEnvironmentSet set = { .environment = NULL };
        MsgEntry entry = { .layer = TEXT("") };
        const char *missing = "";

        for (int sparse = 0; sparse < 2; sparse++) {
                ck_assert_int_eq(codec_encode(&schema_MappingListResult, &list, sparse, &buffer), -EINVAL);
                ck_assert_int_eq(codec_encode_naming(&schema_MappingListResult, &list, sparse, &buffer, &missing), -EINVAL);
                ck_assert_str_eq(missing, "layer");
                ck_assert_int_eq(codec_encode_naming(&schema_EnvironmentSet, &set, sparse, &buffer, &missing), -EINVAL);
                ck_assert_str_eq(missing, "environment");
                ck_assert_int_eq(codec_encode_naming(&schema_Entry, &entry, sparse, &buffer, &missing), 0); /* empty is there */
                ck_assert_ptr_null(missing);
        }
}
END_TEST

static int encode(void)
{
        CLEANUP_BUFFER Buffer buffer = BUFFER_NULL;
        MsgQuery queries[20];
        MsgResolve resolve = { .view = 1, .queries = { queries, 20 } };
        int r;

        for (size_t i = 0; i < 20; i++)
                queries[i] = (MsgQuery){ .layer = TEXT("SiluAndMul"), .device = TEXT("cuda"), .mode = TEXT("training") };
        r = envelope_write_request(&buffer, 1, TEXT("resolve"));
        return r ? r : codec_encode(&schema_Resolve, &resolve, false, &buffer);
}

START_TEST(test_torture)
{
        FIXTURE_TORTURE(encode());
}
END_TEST

FIXTURE_MAIN("proto/codec_encode", test_golden_requests, test_golden_answers, test_golden_notification_and_error,
             test_all_keys, test_sparse_keeps_what_is_required, test_missing,
             test_torture)

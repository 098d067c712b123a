#include <string.h>

#include "proto/gate.h"
#include "tests/conformance/case.h"

/* Wire names have '-' where the files have '_'. */
static bool same_name(const char *file_name, const char *wire_name)
{
        for (; *file_name && *wire_name; file_name++, wire_name++)
                if ((*file_name == '_' ? '-' : *file_name) != *wire_name)
                        return false;
        return *file_name == *wire_name;
}

static GateAnswer judge(const json_t *one)
{
        GateProperties properties = GATE_PROPERTIES_DEFAULT;
        const json_t *backward = json_object_get(one, "has_backward");
        const json_t *compile = json_object_get(one, "can_torch_compile");
        const char *registered_name = case_text_or_null(one, "registered");
        Mode requested, registered = MODE_NONE;
        Fault fault;

        if (mode_parse_request(text_of(case_text(one, "requested")), &requested, &fault))
                return GATE_INVALID_MODE;
        if (registered_name && mode_parse(text_of(registered_name), &registered, &fault))
                return GATE_INVALID_MODE;
        if (json_is_boolean(backward))
                properties.has_backward = json_is_true(backward);
        if (json_is_boolean(compile))
                properties.can_torch_compile = json_is_true(compile);
        return gate_judge(requested, registered, properties, json_is_true(json_object_get(one, "use_fallback")));
}

void run_gate(const json_t *one, Verdict *verdict)
{
        GateAnswer answer = judge(one);
        const char *expect = case_text(one, "expect");
        const char *reason = case_text(one, "reason");
        const char *wanted = strcmp(expect, "error") == 0 ? reason : expect;

        if (!same_name(wanted, gate_spelling(answer)))
                verdict_fail(verdict, "expected %s %s, got %s", expect, reason, gate_spelling(answer));
}

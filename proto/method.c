#include "proto/method.h"

const Method method_table[_METHOD_MAX] = {
#define M(constant, name_, needs_, params_, result_, idempotent_, meaning_)                          \
        [METHOD_##constant] = { .name = name_, .needs = METHOD_##needs_, .params = &schema_##params_, \
                                .result = &schema_##result_, .idempotent = idempotent_, .meaning = meaning_ },
        METHOD_TABLE(M)
#undef M
};

MethodNumber method_find(Text name)
{
        if (text_equal(name, TEXT("resolve"))) /* the one that must be quick */
                return METHOD_RESOLVE;
        for (unsigned i = 0; i < _METHOD_MAX; i++)
                if (text_equal(name, text_of(method_table[i].name)))
                        return (MethodNumber)i;
        return _METHOD_MAX;
}

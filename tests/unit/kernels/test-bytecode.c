#include "tests/lib/fixture.h"

#include "kernels/bytecode.h"

START_TEST(test_paths)
{
        static const char *const bytecode[] = { "a.pyc", ".pyc", "a/b.pyc", "__pycache__", "__pycache__/a", "a/__pycache__/b/c" };
        static const char *const other[] = { "", "a.py", "a.pyc/b", "__pycache__x/a", "a/x__pycache__", "pyc", "a.PYC" };

        for (size_t i = 0; i < ARRAY_SIZE(bytecode); i++)
                ck_assert_msg(bytecode_is(text_of(bytecode[i])), "%s", bytecode[i]);
        for (size_t i = 0; i < ARRAY_SIZE(other); i++)
                ck_assert_msg(!bytecode_is(text_of(other[i])), "%s", other[i]);
}
END_TEST

FIXTURE_MAIN("kernels/bytecode", test_paths)

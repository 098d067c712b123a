/* metadata.json, by itself and as what a client sends of a local repository. */
#include "kernels/json.h"
#include "kernels/repository.h"
#include "tests/fuzz/fuzz.h"

/* What is read strictly is read laxly, too, never the other way round. */
static void check_json(Text text)
{
        CLEANUP(json_document_freep) JsonDocument *strict = NULL, *lax = NULL;
        JsonError error;
        int r = json_document_new(text, 0, NULL, &strict, &error);

        fuzz_require(r == 0 || (r == 1 && error.line && error.column && error.message[0]));
        if (r == 0)
                fuzz_require(json_document_new(text, JSON_DUPLICATES, NULL, &lax, &error) == 0);
}

static void check_metadata(const Metadata *m)
{
        fuzz_require(m->name.size >= 2 && m->version >= 0 && m->backend < BACKEND_NONE);
        for (int64_t capability = 0; capability < 130; capability += 9)
                (void)arch_judge(m->has_archs ? &m->archs : NULL, DEVICE_CUDA, INTEGER_PRESENT(capability), TEXT_NULL);
        for (size_t i = 1; m->digest && i < m->digest->n_files; i++)
                fuzz_require(text_compare(m->digest->files[i - 1].path, m->digest->files[i].path) < 0);
}

static void check_local(Text text)
{
        CLEANUP(repository_unrefp) Repository *repository = NULL;
        MsgLocalVariant variant = { TEXT("torch-cpu"), text };
        MsgLocal local = { .variants = { &variant, 1 } };
        Environment environment;
        Fault fault = FAULT_NULL;
        size_t number;
        ArchVerdict arch;

        if (repository_from_message(&local, &repository, &fault))
                return;
        fuzz_require(environment_init(&environment, NULL, true, &fault) == 0);
        if (repository_choose(repository, &environment, DEVICE_CPU, INTEGER_ABSENT, TEXT_NULL, NULL, &number, &arch,
                              &fault))
                fuzz_require(fault.name != FAULT_NONE && fault.message[0]);
        else
                fuzz_require(number == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
        CLEANUP(metadata_freep) Metadata *metadata = NULL;
        Text text = { (const char *)bytes, size };
        Fault fault = FAULT_NULL;
        int r;

        if (!size)
                return 0;
        check_json(text);
        r = metadata_parse(text, &metadata, &fault);
        fuzz_require(r == 0 || (r == 1 && fault.name == FAULT_CORRUPT));
        if (r == 0)
                check_metadata(metadata);
        check_local(text);
        return 0;
}

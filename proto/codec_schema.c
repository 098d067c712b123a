/* The schema's lists as tables of keys. */
#include "proto/codec.h"

#define NEED_REQUIRED true
#define NEED_NILABLE false

/* Only these kinds have an element type; the column holds "_" for the rest. */
#define TYPE_BOOL(type) NULL
#define TYPE_TRISTATE(type) NULL
#define TYPE_INTEGER(type) NULL
#define TYPE_OPTIONAL(type) NULL
#define TYPE_STRING(type) NULL
#define TYPE_BINARY(type) NULL
#define TYPE_STRINGS(type) NULL
#define TYPE_MAP(type) &schema_##type
#define TYPE_LIST(type) &schema_##type
#define TYPE_TABLE(type) &schema_##type

#define KEY(self, kind_, name_, need_, type_, limit_, meaning_)                                                    \
        { .name = #name_, .kind = KEY_##kind_, .required = NEED_##need_, .type = TYPE_##kind_(type_), .limit = limit_, \
          .offset = offsetof(self, name_), .meaning = meaning_ },

/* A list does not know the struct that it is a part of; these tell it. */
#define KEY_OF_Empty(...) KEY(MsgEmpty, __VA_ARGS__)
#define KEY_OF_Environment(...) KEY(MsgEnvironment, __VA_ARGS__)
#define KEY_OF_Hello(...) KEY(MsgHello, __VA_ARGS__)
#define KEY_OF_HelloResult(...) KEY(MsgHelloResult, __VA_ARGS__)
#define KEY_OF_EnvironmentSet(...) KEY(MsgEnvironmentSet, __VA_ARGS__)
#define KEY_OF_Reference(...) KEY(MsgReference, __VA_ARGS__)
#define KEY_OF_Entry(...) KEY(MsgEntry, __VA_ARGS__)
#define KEY_OF_LocalVariant(...) KEY(MsgLocalVariant, __VA_ARGS__)
#define KEY_OF_Local(...) KEY(MsgLocal, __VA_ARGS__)
#define KEY_OF_ViewCreate(...) KEY(MsgViewCreate, __VA_ARGS__)
#define KEY_OF_ViewExtend(...) KEY(MsgViewExtend, __VA_ARGS__)
#define KEY_OF_ViewResult(...) KEY(MsgViewResult, __VA_ARGS__)
#define KEY_OF_ViewDrop(...) KEY(MsgViewDrop, __VA_ARGS__)
#define KEY_OF_Query(...) KEY(MsgQuery, __VA_ARGS__)
#define KEY_OF_Resolve(...) KEY(MsgResolve, __VA_ARGS__)
#define KEY_OF_AnswerReference(...) KEY(MsgAnswerReference, __VA_ARGS__)
#define KEY_OF_Answer(...) KEY(MsgAnswer, __VA_ARGS__)
#define KEY_OF_ResolveResult(...) KEY(MsgResolveResult, __VA_ARGS__)
#define KEY_OF_Explain(...) KEY(MsgExplain, __VA_ARGS__)
#define KEY_OF_TraceStep(...) KEY(MsgTraceStep, __VA_ARGS__)
#define KEY_OF_ExplainResult(...) KEY(MsgExplainResult, __VA_ARGS__)
#define KEY_OF_Acquire(...) KEY(MsgAcquire, __VA_ARGS__)
#define KEY_OF_NativeLayer(...) KEY(MsgNativeLayer, __VA_ARGS__)
#define KEY_OF_Native(...) KEY(MsgNative, __VA_ARGS__)
#define KEY_OF_AcquireResult(...) KEY(MsgAcquireResult, __VA_ARGS__)
#define KEY_OF_Release(...) KEY(MsgRelease, __VA_ARGS__)
#define KEY_OF_Used(...) KEY(MsgUsed, __VA_ARGS__)
#define KEY_OF_Report(...) KEY(MsgReport, __VA_ARGS__)
#define KEY_OF_Cancel(...) KEY(MsgCancel, __VA_ARGS__)
#define KEY_OF_Progress(...) KEY(MsgProgress, __VA_ARGS__)
#define KEY_OF_MappingFault(...) KEY(MsgMappingFault, __VA_ARGS__)
#define KEY_OF_StatusResult(...) KEY(MsgStatusResult, __VA_ARGS__)
#define KEY_OF_Page(...) KEY(MsgPage, __VA_ARGS__)
#define KEY_OF_ClientLease(...) KEY(MsgClientLease, __VA_ARGS__)
#define KEY_OF_Client(...) KEY(MsgClient, __VA_ARGS__)
#define KEY_OF_ClientsResult(...) KEY(MsgClientsResult, __VA_ARGS__)
#define KEY_OF_MappingEntry(...) KEY(MsgMappingEntry, __VA_ARGS__)
#define KEY_OF_MappingListResult(...) KEY(MsgMappingListResult, __VA_ARGS__)
#define KEY_OF_MappingBytes(...) KEY(MsgMappingBytes, __VA_ARGS__)
#define KEY_OF_MappingRemove(...) KEY(MsgMappingRemove, __VA_ARGS__)
#define KEY_OF_MappingPart(...) KEY(MsgMappingPart, __VA_ARGS__)
#define KEY_OF_MappingDumpResult(...) KEY(MsgMappingDumpResult, __VA_ARGS__)
#define KEY_OF_PinSet(...) KEY(MsgPinSet, __VA_ARGS__)
#define KEY_OF_PinDrop(...) KEY(MsgPinDrop, __VA_ARGS__)
#define KEY_OF_Pin(...) KEY(MsgPin, __VA_ARGS__)
#define KEY_OF_PinListResult(...) KEY(MsgPinListResult, __VA_ARGS__)
#define KEY_OF_Versions(...) KEY(MsgVersions, __VA_ARGS__)
#define KEY_OF_Revision(...) KEY(MsgRevision, __VA_ARGS__)
#define KEY_OF_VersionsResult(...) KEY(MsgVersionsResult, __VA_ARGS__)
#define KEY_OF_Variants(...) KEY(MsgVariants, __VA_ARGS__)
#define KEY_OF_Variant(...) KEY(MsgVariant, __VA_ARGS__)
#define KEY_OF_VariantsResult(...) KEY(MsgVariantsResult, __VA_ARGS__)
#define KEY_OF_Refresh(...) KEY(MsgRefresh, __VA_ARGS__)
#define KEY_OF_Prefetch(...) KEY(MsgPrefetch, __VA_ARGS__)
#define KEY_OF_Fetched(...) KEY(MsgFetched, __VA_ARGS__)
#define KEY_OF_FetchedResult(...) KEY(MsgFetchedResult, __VA_ARGS__)
#define KEY_OF_NamedEnvironment(...) KEY(MsgNamedEnvironment, __VA_ARGS__)
#define KEY_OF_EnvironmentAdd(...) KEY(MsgEnvironmentAdd, __VA_ARGS__)
#define KEY_OF_EnvironmentListResult(...) KEY(MsgEnvironmentListResult, __VA_ARGS__)
#define KEY_OF_Cached(...) KEY(MsgCached, __VA_ARGS__)
#define KEY_OF_CacheListResult(...) KEY(MsgCacheListResult, __VA_ARGS__)
#define KEY_OF_CacheVerify(...) KEY(MsgCacheVerify, __VA_ARGS__)
#define KEY_OF_Verified(...) KEY(MsgVerified, __VA_ARGS__)
#define KEY_OF_CacheVerifyResult(...) KEY(MsgCacheVerifyResult, __VA_ARGS__)
#define KEY_OF_Event(...) KEY(MsgEvent, __VA_ARGS__)
#define KEY_OF_HistoryResult(...) KEY(MsgHistoryResult, __VA_ARGS__)
#define KEY_OF_ChangeResult(...) KEY(MsgChangeResult, __VA_ARGS__)

#define SCHEMA_KEYS(type_, title_, keys_) static const SchemaKey keys_##type_[] = { keys_(KEY_OF_##type_) };
SCHEMA_STRUCTS(SCHEMA_KEYS)

#define SCHEMA_ROW(type_, title_, keys_)                                                              \
        const SchemaStruct schema_##type_ = {                                                         \
                .type = #type_,                                                                       \
                .title = title_,                                                                      \
                .size = sizeof(Msg##type_),                                                           \
                .n_keys = ARRAY_SIZE(keys_##type_),                                                   \
                .keys = keys_##type_,                                                                 \
        };                                                                                            \
        _Static_assert(ARRAY_SIZE(keys_##type_) <= 64, "codec_decode notes the keys it met in 64 bits");
SCHEMA_STRUCTS(SCHEMA_ROW)

#include "client/python/native.h"

#include <unistd.h>

PyTypeObject *native_client_type;

typedef struct NativeClient {
        PyObject_HEAD
        kd_client *client; /* NULL: not connected, or closed */
        unsigned n_inside; /* calls under way, in any thread; guarded by the interpreter lock */
        pid_t inside_pid;  /* the process that they are in: fork leaves other threads' behind */
        bool closed;       /* the last call to come back closes */
} NativeClient;

/* --- calls: none is under way when the client is closed --- */

/* Calls of this thread under way, of any client. In the static part of thread-local
 * storage: the other part needs the dynamic linker by its name. */
static _Thread_local unsigned n_mine __attribute__((tls_model("initial-exec")));

/* After a fork only the forking thread goes on: it may be in a progress callback. */
static void client_count(NativeClient *self)
{
        if (self->inside_pid != getpid())
                self->n_inside = self->inside_pid ? n_mine : 0;
        self->inside_pid = getpid();
}

static kd_client *client_enter(PyObject *object)
{
        NativeClient *self = (NativeClient *)object;

        client_count(self);
        if (!self->client || self->closed) {
                PyErr_SetString(PyExc_ValueError, "the client is closed");
                return NULL;
        }
        self->n_inside++;
        n_mine++;
        return self->client;
}

static void client_close(NativeClient *self)
{
        kd_client *client = self->client;

        client_count(self);
        self->closed = true;
        if (self->n_inside || !client)
                return;
        self->client = NULL;
        Py_BEGIN_ALLOW_THREADS
        (void)kd_close(client);
        Py_END_ALLOW_THREADS
}

static void client_leave(PyObject *object)
{
        NativeClient *self = (NativeClient *)object;

        client_count(self);
        self->n_inside--;
        n_mine--;
        if (self->closed)
                client_close(self);
}

static PyObject *client_end(PyObject *object, int code, const kd_error *error)
{
        client_leave(object);
        if (code)
                return native_raise(error);
        Py_INCREF(Py_None);
        return Py_None;
}

/* --- connecting --- */

static int truth_of(PyObject *environment, const char *key, int *ret_truth)
{
        PyObject *value = PyDict_GetItemString(environment, key);
        int truth = value && value != Py_None ? PyObject_IsTrue(value) : -1;

        if (truth < 0 && PyErr_Occurred())
                return -1;
        *ret_truth = truth;
        return 0;
}

/* The texts are the dictionary's. */
static int environment_read(PyObject *object, kd_environment *ret_environment)
{
        kd_environment environment = KD_ENVIRONMENT_INIT;
        struct { const char *key; const char **text; } texts[] = {
                { "torch", &environment.torch }, { "tvm_ffi", &environment.tvm_ffi },
                { "backend", &environment.backend }, { "cpu", &environment.cpu }, { "os", &environment.os },
                { "python", &environment.python }, { "glibc", &environment.glibc },
                { "program", &environment.program },
        };

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                PyObject *value = PyDict_GetItemString(object, texts[i].key);

                if (value && native_text(value, texts[i].key, texts[i].text))
                        return -1;
        }
        if (truth_of(object, "cxx11_abi", &environment.cxx11_abi) ||
            truth_of(object, "free_threaded", &environment.free_threaded))
                return -1;
        *ret_environment = environment;
        return 0;
}

/* A dictionary of our own, which has the texts: nobody changes it while the
 * interpreter lock is open. NULL with an exception. */
static PyObject *environment_of(PyObject *object, kd_environment *ret_environment)
{
        PyObject *copy;

        if (object != Py_None && !PyDict_Check(object)) {
                PyErr_SetString(PyExc_TypeError, "environment: a dict or None");
                return NULL;
        }
        copy = object == Py_None ? PyDict_New() : PyDict_Copy(object);
        if (copy && environment_read(copy, ret_environment))
                Py_CLEAR(copy);
        return copy;
}

/* One that connects at the same time in another thread may be first. */
static int client_take(NativeClient *self, kd_client *client)
{
        if (self->client || self->closed) {
                Py_BEGIN_ALLOW_THREADS
                (void)kd_close(client);
                Py_END_ALLOW_THREADS
                PyErr_SetString(PyExc_ValueError, "a client connects once");
                return -1;
        }
        self->client = client;
        return 0;
}

static int client_connect(NativeClient *self, const kd_options *options)
{
        kd_client *client;
        kd_error error;
        int r;

        Py_BEGIN_ALLOW_THREADS
        r = kd_connect(options, &client, &error);
        Py_END_ALLOW_THREADS
        if (!r)
                return client_take(self, client);
        (void)native_raise(&error);
        return -1;
}

static int client_init(PyObject *object, PyObject *arguments, PyObject *keywords)
{
        static char *names[] = { "environment", "client", "socket", "job",
                                 "native", "offline", "timeout_ms", NULL };
        NativeClient *self = (NativeClient *)object;
        kd_options options = KD_OPTIONS_INIT;
        kd_environment environment;
        PyObject *map = Py_None, *texts;
        int native = 0, r;

        if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|O$zzzpii:Client", names, &map, &options.client,
                                         &options.socket, &options.job, &native, &options.offline, &options.timeout_ms))
                return -1;
        if (self->client || self->closed) {
                PyErr_SetString(PyExc_ValueError, "a client connects once");
                return -1;
        }
        texts = environment_of(map, &environment);
        if (!texts)
                return -1;
        options.native = native;
        options.environment = &environment;
        r = client_connect(self, &options);
        Py_DECREF(texts);
        return r;
}

static void client_dealloc(PyObject *object)
{
        PyTypeObject *type = Py_TYPE(object);

        client_close((NativeClient *)object);
        ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
        Py_DECREF((PyObject *)type);
}

static PyObject *client_method_close(PyObject *object, PyObject *Py_UNUSED(none))
{
        client_close((NativeClient *)object);
        Py_INCREF(Py_None);
        return Py_None;
}

static PyObject *client_daemon_version(PyObject *object, void *Py_UNUSED(data))
{
        kd_client *client = client_enter(object);
        PyObject *version = client ? PyUnicode_FromString(kd_daemon_version(client)) : NULL;

        if (client)
                client_leave(object);
        return version;
}

/* --- views --- */

static PyObject *client_view_create(PyObject *object, PyObject *arguments)
{
        NativeEntries entries = NATIVE_ENTRIES_NULL;
        PyObject *parent_object, *rows;
        kd_client *client;
        int64_t parent;
        uint32_t view = 0;
        kd_error error;
        int r;

        if (!PyArg_ParseTuple(arguments, "OO:view_create", &parent_object, &rows) ||
            native_integer(parent_object, "parent", &parent) || native_entries(rows, &entries))
                return NULL;
        client = client_enter(object);
        if (!client) {
                native_entries_deinit(&entries);
                return NULL;
        }
        Py_BEGIN_ALLOW_THREADS
        r = kd_view_create(client, parent, entries.items, entries.n, &view, &error);
        Py_END_ALLOW_THREADS
        client_leave(object);
        native_entries_deinit(&entries);
        return r ? native_raise(&error) : PyLong_FromUnsignedLong(view);
}

static PyObject *client_view_extend(PyObject *object, PyObject *arguments)
{
        NativeEntries entries = NATIVE_ENTRIES_NULL;
        unsigned view;
        PyObject *number, *rows;
        kd_client *client;
        kd_error error;
        int inherit, r;

        if (!PyArg_ParseTuple(arguments, "OpO:view_extend", &number, &inherit, &rows) ||
            native_unsigned(number, "view", &view) || native_entries(rows, &entries))
                return NULL;
        client = client_enter(object);
        if (!client) {
                native_entries_deinit(&entries);
                return NULL;
        }
        Py_BEGIN_ALLOW_THREADS
        r = kd_view_extend(client, view, inherit, entries.items, entries.n, &error);
        Py_END_ALLOW_THREADS
        native_entries_deinit(&entries);
        return client_end(object, r, &error);
}

static PyObject *client_view_drop(PyObject *object, PyObject *number)
{
        unsigned view;
        kd_client *client;
        kd_error error;
        int r;

        if (native_unsigned(number, "view", &view))
                return NULL;
        client = client_enter(object);
        if (!client)
                return NULL;
        Py_BEGIN_ALLOW_THREADS
        r = kd_view_drop(client, view, &error);
        Py_END_ALLOW_THREADS
        return client_end(object, r, &error);
}

/* --- asking --- */

static PyObject *answers_list(const kd_answers *answers)
{
        size_t n = kd_answers_count(answers);
        PyObject *list = PyList_New((Py_ssize_t)n);

        for (size_t i = 0; list && i < n; i++) {
                PyObject *answer = native_answer(kd_answers_get(answers, i));

                if (!answer || PyList_SetItem(list, (Py_ssize_t)i, answer) < 0)
                        Py_CLEAR(list);
        }
        return list;
}

/* Queries of a tuple of tuples, which owns the texts; NULL with an exception. */
static kd_query *queries_of(PyObject *rows)
{
        size_t n = (size_t)PyTuple_Size(rows);
        kd_query *queries = PyMem_Calloc(n + 1, sizeof(*queries));

        for (size_t i = 0; queries && i < n; i++)
                if (native_query(PyTuple_GetItem(rows, (Py_ssize_t)i), &queries[i])) {
                        PyMem_Free(queries);
                        return NULL;
                }
        if (!queries)
                PyErr_NoMemory();
        return queries;
}

static PyObject *client_resolve_rows(PyObject *object, unsigned view, PyObject *rows, unsigned flags)
{
        kd_query *queries = queries_of(rows);
        kd_client *client = queries ? client_enter(object) : NULL;
        kd_answers *answers = NULL;
        PyObject *list = NULL;
        kd_error error;
        int r;

        if (client) {
                Py_BEGIN_ALLOW_THREADS
                r = kd_resolve(client, view, queries, (size_t)PyTuple_Size(rows), flags, &answers, &error);
                Py_END_ALLOW_THREADS
                client_leave(object);
                list = r ? native_raise(&error) : answers_list(answers);
                (void)kd_answers_free(answers);
        }
        PyMem_Free(queries);
        return list;
}

static PyObject *client_resolve(PyObject *object, PyObject *arguments)
{
        PyObject *number, *sequence, *rows, *list;
        unsigned view;
        int fresh = 0;

        if (!PyArg_ParseTuple(arguments, "OO|p:resolve", &number, &sequence, &fresh) ||
            native_unsigned(number, "view", &view))
                return NULL;
        rows = PySequence_Tuple(sequence);
        if (!rows)
                return NULL;
        list = client_resolve_rows(object, view, rows, fresh ? KD_FRESH : 0);
        Py_DECREF(rows);
        return list;
}

/* --- kernels --- */

/* kd_progress: `data` is None or what is called. Also the place where a signal
 * that came while the library waited is handled. */
static int progress_call(void *data, int64_t files, int64_t files_total, int64_t bytes, int64_t bytes_total)
{
        PyGILState_STATE held = PyGILState_Ensure();
        PyObject *function = data, *result;
        int stop = PyErr_CheckSignals();

        if (!stop && function != Py_None) {
                result = PyObject_CallFunction(function, "LLLL", (long long)files, (long long)files_total,
                                               (long long)bytes, (long long)bytes_total);
                stop = !result;
                Py_XDECREF(result);
        }
        PyGILState_Release(held);
        return stop;
}

static PyObject *client_acquire_repository(PyObject *object, PyObject *arguments)
{
        kd_repository_query query = KD_REPOSITORY_QUERY_INIT;
        PyObject *version, *capability, *flags_object = NULL, *progress = Py_None;
        unsigned flags = 0;
        long long deadline_ms = 0;
        kd_kernel *kernel = NULL;
        kd_client *client;
        kd_error error;
        int r;

        if (!PyArg_ParseTuple(arguments, "sOzzOz|OLO:acquire_repository", &query.repo, &version, &query.revision,
                              &query.device, &capability, &query.arch, &flags_object, &deadline_ms, &progress) ||
            (flags_object && native_unsigned(flags_object, "flags", &flags)) ||
            native_integer(version, "version", &query.version) ||
            native_integer(capability, "capability", &query.capability))
                return NULL;
        client = client_enter(object);
        if (!client)
                return NULL;
        Py_BEGIN_ALLOW_THREADS
        r = kd_acquire_repository(client, &query, flags, deadline_ms, progress_call, progress, &kernel, &error);
        Py_END_ALLOW_THREADS
        client_leave(object);
        return r ? native_raise(&error) : native_kernel(kernel);
}

/* The kernels, or what is wrong with each. Takes those of the items. */
static PyObject *acquired_list(kd_acquisition *items, size_t n)
{
        PyObject *list = PyList_New((Py_ssize_t)n);

        for (size_t i = 0; i < n; i++) {
                kd_kernel *kernel = items[i].kernel;
                PyObject *item;

                items[i].kernel = NULL;
                if (!list) {
                        native_kernel_drop(kernel);
                        continue;
                }
                item = kernel ? native_kernel(kernel) : native_error_object(&items[i].error);
                if (!item || PyList_SetItem(list, (Py_ssize_t)i, item) < 0)
                        Py_CLEAR(list);
        }
        return list;
}

/* Rows of (query, flags). NULL with an exception. */
static kd_acquisition *acquisitions_of(PyObject *rows)
{
        size_t n = (size_t)PyTuple_Size(rows);
        kd_acquisition *items = PyMem_Calloc(n + 1, sizeof(*items));

        if (!items)
                PyErr_NoMemory();
        for (size_t i = 0; items && i < n; i++) {
                PyObject *row = PyTuple_GetItem(rows, (Py_ssize_t)i);

                if (native_tuple(row, 2, "an item") || native_query(PyTuple_GetItem(row, 0), &items[i].query) ||
                    native_unsigned(PyTuple_GetItem(row, 1), "flags", &items[i].flags)) {
                        PyMem_Free(items);
                        return NULL;
                }
        }
        return items;
}

static PyObject *client_acquire_rows(PyObject *object, unsigned view, PyObject *rows, long long deadline_ms,
                                     PyObject *progress)
{
        kd_acquisition *items = acquisitions_of(rows);
        kd_client *client = items ? client_enter(object) : NULL;
        size_t n = (size_t)PyTuple_Size(rows);
        PyObject *list = NULL;
        kd_error error;
        int r;

        if (client) {
                Py_BEGIN_ALLOW_THREADS
                r = kd_acquire_all(client, view, items, n, deadline_ms, progress_call, progress, &error);
                Py_END_ALLOW_THREADS
                client_leave(object);
                list = r ? native_raise(&error) : acquired_list(items, n);
        }
        PyMem_Free(items);
        return list;
}

static PyObject *client_acquire_all(PyObject *object, PyObject *arguments)
{
        PyObject *number, *sequence, *rows, *list, *progress = Py_None;
        unsigned view;
        long long deadline_ms = 0;

        if (!PyArg_ParseTuple(arguments, "OO|LO:acquire_all", &number, &sequence, &deadline_ms, &progress) ||
            native_unsigned(number, "view", &view))
                return NULL;
        rows = PySequence_Tuple(sequence);
        if (!rows)
                return NULL;
        list = client_acquire_rows(object, view, rows, deadline_ms, progress);
        Py_DECREF(rows);
        return list;
}

/* --- any method --- */

static PyObject *client_call(PyObject *object, PyObject *arguments)
{
        const char *method;
        PyObject *map, *answer;
        kd_value *params, *result = NULL;
        kd_client *client;
        kd_error error;
        int r;

        if (!PyArg_ParseTuple(arguments, "sO:call", &method, &map))
                return NULL;
        params = native_value(map);
        if (!params)
                return NULL;
        client = client_enter(object);
        if (!client) {
                (void)kd_value_free(params);
                return NULL;
        }
        Py_BEGIN_ALLOW_THREADS
        r = kd_call(client, method, params, &result, &error);
        Py_END_ALLOW_THREADS
        client_leave(object);
        (void)kd_value_free(params);
        answer = r ? native_raise(&error) : native_object(result);
        (void)kd_value_free(result);
        return answer;
}

static PyObject *client_report(PyObject *object, PyObject *sequence)
{
        PyObject *rows = PySequence_Tuple(sequence), *answer = NULL;
        kd_used *used = rows ? native_used(rows) : NULL;
        kd_client *client = used ? client_enter(object) : NULL;
        size_t n = rows ? (size_t)PyTuple_Size(rows) : 0;
        kd_error error;
        int r;

        if (client) {
                Py_BEGIN_ALLOW_THREADS
                r = kd_report(client, used, n, &error);
                Py_END_ALLOW_THREADS
                answer = client_end(object, r, &error);
        }
        PyMem_Free(used);
        Py_XDECREF(rows);
        return answer;
}

static PyGetSetDef attributes[] = {
        { "daemon_version", client_daemon_version, NULL, "What the daemon said that it is.", NULL },
        { 0 },
};

static PyMethodDef methods[] = {
        { "close", client_method_close, METH_NOARGS, "Ends the session, once no other thread is inside a call." },
        { "view_create", client_view_create, METH_VARARGS,
          "view_create(parent, entries): makes a view on view `parent`, or on nothing (None); answers its number." },
        { "view_extend", client_view_extend, METH_VARARGS, "view_extend(view, inherit, entries): registers entries." },
        { "view_drop", client_view_drop, METH_O, "view_drop(view)" },
        { "resolve", client_resolve, METH_VARARGS,
          "resolve(view, queries, fresh=False): an Answer for each (layer, device, capability, mode, arch)." },
        { "acquire_all", client_acquire_all, METH_VARARGS,
          "acquire_all(view, items, deadline_ms=0, progress=None): for each (query, flags) a Kernel, or the Error." },
        { "acquire_repository", client_acquire_repository, METH_VARARGS,
          "acquire_repository(repo, version, revision, device, capability, arch, flags=0, deadline_ms=0,\n"
          "progress=None): a Kernel." },
        { "call", client_call, METH_VARARGS, "call(method, params): any method of the protocol, by name." },
        { "report", client_report, METH_O,
          "report(rows): tells the daemon (layer, device, mode, repo, commit, variant, reason); waits for nothing." },
        { 0 },
};

static PyType_Slot slots[] = {
        { Py_tp_doc, "A connection to kernelsd: kd_client of kernelsd.h." },
        { Py_tp_init, client_init },
        { Py_tp_dealloc, client_dealloc },
        { Py_tp_getset, attributes },
        { Py_tp_methods, methods },
        { 0 },
};

static PyType_Spec spec = {
        .name = "kernelsd._native.Client",
        .basicsize = sizeof(NativeClient),
        .flags = Py_TPFLAGS_DEFAULT,
        .slots = slots,
};

int native_client_init(PyObject *module)
{
        native_client_type = native_type(module, "Client", &spec);
        return native_client_type ? 0 : -1;
}

#include "client/python/native.h"

PyTypeObject *native_kernel_type;

typedef struct NativeKernel {
        PyObject_HEAD
        kd_kernel *kernel; /* NULL: freed */
} NativeKernel;

/* Freeing sends the daemon a word and waits for nothing, but takes the lock of
 * the client, which others hold while they talk to the daemon. */
void native_kernel_drop(kd_kernel *kernel)
{
        Py_BEGIN_ALLOW_THREADS
        (void)kd_kernel_free(kernel);
        Py_END_ALLOW_THREADS
}

PyObject *native_kernel(kd_kernel *kernel)
{
        NativeKernel *self = PyObject_New(NativeKernel, native_kernel_type);

        if (!self) {
                native_kernel_drop(kernel);
                return NULL;
        }
        self->kernel = kernel;
        return (PyObject *)self;
}

static void kernel_free(NativeKernel *self)
{
        kd_kernel *kernel = self->kernel;

        self->kernel = NULL;
        if (kernel)
                native_kernel_drop(kernel);
}

static void kernel_dealloc(PyObject *object)
{
        PyTypeObject *type = Py_TYPE(object);

        kernel_free((NativeKernel *)object);
        PyObject_Free(object);
        Py_DECREF((PyObject *)type);
}

static kd_kernel *kernel_of(PyObject *object)
{
        kd_kernel *kernel = ((NativeKernel *)object)->kernel;

        if (!kernel)
                PyErr_SetString(PyExc_ValueError, "the kernel was freed");
        return kernel;
}

static PyObject *kernel_answer(PyObject *object, void *Py_UNUSED(data))
{
        kd_kernel *kernel = kernel_of(object);

        return kernel ? native_answer(kd_kernel_answer(kernel)) : NULL;
}

static PyObject *kernel_path(PyObject *object, void *Py_UNUSED(data))
{
        kd_kernel *kernel = kernel_of(object);

        return kernel ? PyUnicode_DecodeFSDefault(kd_kernel_path(kernel)) : NULL;
}

static PyObject *kernel_metadata(PyObject *object, void *Py_UNUSED(data))
{
        kd_kernel *kernel = kernel_of(object);
        const char *bytes;
        size_t size;

        if (!kernel)
                return NULL;
        bytes = kd_kernel_metadata(kernel, &size);
        if (bytes)
                return PyBytes_FromStringAndSize(bytes, (Py_ssize_t)size);
        Py_INCREF(Py_None);
        return Py_None;
}

static PyObject *kernel_fileno(PyObject *object, PyObject *Py_UNUSED(none))
{
        kd_kernel *kernel = kernel_of(object);

        return kernel ? PyLong_FromLong(kd_kernel_fd(kernel)) : NULL;
}

static PyObject *kernel_method_free(PyObject *object, PyObject *Py_UNUSED(none))
{
        kernel_free((NativeKernel *)object);
        Py_INCREF(Py_None);
        return Py_None;
}

static PyGetSetDef attributes[] = {
        { "answer", kernel_answer, NULL, "What was acquired.", NULL },
        { "path", kernel_path, NULL, "The variant folder, as this process can open it.", NULL },
        { "metadata", kernel_metadata, NULL, "The bytes of metadata.json, or None.", NULL },
        { 0 },
};

static PyMethodDef methods[] = {
        { "fileno", kernel_fileno, METH_NOARGS, "The lease: a descriptor of the folder, which stays the kernel's." },
        { "free", kernel_method_free, METH_NOARGS, "Gives the lease back." },
        { 0 },
};

static PyType_Slot slots[] = {
        { Py_tp_doc, "A kernel and the lease on it, which ends with the object." },
        { Py_tp_dealloc, kernel_dealloc },
        { Py_tp_getset, attributes },
        { Py_tp_methods, methods },
        { 0 },
};

static PyType_Spec spec = {
        .name = "kernelsd._native.Kernel",
        .basicsize = sizeof(NativeKernel),
        .flags = Py_TPFLAGS_DEFAULT,
        .slots = slots,
};

int native_kernel_init(PyObject *module)
{
        native_kernel_type = native_type(module, "Kernel", &spec);
        return native_kernel_type ? 0 : -1;
}

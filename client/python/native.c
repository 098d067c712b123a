#include "client/python/native.h"

PyTypeObject *native_type(PyObject *module, const char *name, PyType_Spec *spec)
{
        PyObject *type = PyType_FromSpec(spec);

        if (!type)
                return NULL;
        Py_INCREF(type);
        if (PyModule_AddObject(module, name, type) < 0) {
                Py_DECREF(type);
                Py_DECREF(type);
                return NULL;
        }
        return (PyTypeObject *)type;
}

static PyObject *native_version(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(none))
{
        return PyUnicode_FromString(kd_version());
}

static PyObject *native_gate(PyObject *Py_UNUSED(module), PyObject *arguments)
{
        static const char *const names[] = {
                [KD_GATE_USE_KERNEL] = "use_kernel",
                [KD_GATE_USE_ORIGINAL] = "use_original",
                [KD_GATE_INVALID_MODE] = "invalid_mode",
                [KD_GATE_NO_MAPPING] = "no_mapping",
                [KD_GATE_NO_MODE] = "no_mode",
                [KD_GATE_REGISTERED_MODE_UNSUPPORTED] = "registered_mode_unsupported",
                [KD_GATE_REQUESTED_MODE_UNSUPPORTED] = "requested_mode_unsupported",
        };
        const char *requested, *registered;
        int has_backward, can_torch_compile, use_fallback;

        if (!PyArg_ParseTuple(arguments, "szppp:gate", &requested, &registered, &has_backward, &can_torch_compile,
                              &use_fallback))
                return NULL;
        return PyUnicode_FromString(
                names[kd_gate_judge(requested, registered, has_backward, can_torch_compile, use_fallback)]);
}

static PyMethodDef functions[] = {
        { "version", native_version, METH_NOARGS, "The library's version." },
        { "gate", native_gate, METH_VARARGS,
          "gate(requested, registered, has_backward, can_torch_compile, use_fallback): what kd_gate_judge says, as\n"
          "gates.json names it." },
        { 0 },
};

static struct PyModuleDef definition = {
        PyModuleDef_HEAD_INIT,
        .m_name = "kernelsd._native",
        .m_doc = "libkernelsd, which kernelsd.h describes.",
        .m_size = -1,
        .m_methods = functions,
};

PyMODINIT_FUNC PyInit__native(void);

__attribute__((visibility("default"))) PyMODINIT_FUNC PyInit__native(void)
{
        PyObject *module = PyModule_Create(&definition);

        if (module && native_error_init(module) == 0 && native_answer_init(module) == 0 &&
            native_kernel_init(module) == 0 && native_client_init(module) == 0 &&
            PyModule_AddIntConstant(module, "FRESH", KD_FRESH) == 0 &&
            PyModule_AddIntConstant(module, "TRUST_REMOTE_CODE", KD_TRUST_REMOTE_CODE) == 0 &&
            PyModule_AddIntConstant(module, "VIEW_HOST", KD_VIEW_HOST) == 0)
                return module;
        Py_XDECREF(module);
        return NULL;
}

#!/usr/bin/python3
"""What the built extension of Python needs from outside, and what it shows.

usage: python_abi.py BUILDDIR

It is one file for every Python from 3.9 on, so it needs nothing but the stable ABI
of 3.9. The compiler refuses functions outside it; a macro of an older header that
expands to something private shows here alone."""

import pathlib
import subprocess
import sys

import tree

EXTENSION = pathlib.Path(sys.argv[1]) / "client" / "python" / "kernelsd" / "_native.abi3.so"

# Of the stable ABI of Python 3.9 what we use, as "Contents of Limited API" of its
# manual lists it; add what is new here after a look there. The private ones are what
# its own macros expand to, and belong to the stable ABI for that.
STABLE = set("""
    PyBool_FromLong PyBool_Type PyBytes_AsStringAndSize PyBytes_FromStringAndSize PyDict_Copy PyDict_GetItemString
    PyDict_New PyDict_Next PyDict_SetItemString PyErr_CheckSignals PyErr_Format PyErr_NewExceptionWithDoc PyErr_NoMemory
    PyErr_Occurred PyErr_SetObject PyErr_SetString PyEval_RestoreThread PyEval_SaveThread PyExc_OverflowError
    PyExc_TypeError PyExc_ValueError PyGILState_Ensure PyGILState_Release PyList_New PyList_SetItem PyLong_AsLongLong
    PyLong_AsUnsignedLong PyLong_FromLong PyLong_FromLongLong PyLong_FromUnsignedLong PyMem_Calloc PyMem_Free
    PyModule_AddIntConstant PyModule_AddObject PyModule_Create2 PyObject_CallFunctionObjArgs PyObject_Free
    PyObject_IsTrue PyObject_SetAttrString PySequence_Tuple PyStructSequence_New PyStructSequence_NewType
    PyStructSequence_SetItem PyTuple_GetItem PyTuple_Size PyType_FromSpec PyType_GetFlags PyType_GetSlot
    PyUnicode_DecodeFSDefault PyUnicode_DecodeUTF8 PyUnicode_FromString PyUnicode_FromStringAndSize
    Py_EnterRecursiveCall Py_LeaveRecursiveCall
    _PyArg_ParseTupleAndKeywords_SizeT _PyArg_ParseTuple_SizeT _PyArg_Parse_SizeT _PyObject_CallFunction_SizeT
    _PyObject_New _Py_Dealloc _Py_NoneStruct _Py_TrueStruct
""".split())

SHOWN = {"PyInit__native"}

LINKED = ["libkernelsd.so.0", "libc.so.6"]


def lines_of(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def symbols(which):
    lines = lines_of("nm", "--portability", "--dynamic", which, str(EXTENSION))
    return {line.split()[0].split("@")[0] for line in lines}


def faults():
    needed = {symbol for symbol in symbols("--undefined-only") if symbol.startswith(("Py", "_Py"))}
    for symbol in sorted(needed - STABLE):
        yield f"{EXTENSION.name}: {symbol} is not in the table of what Python 3.9 keeps stable"
    for symbol in sorted(symbols("--defined-only") ^ SHOWN):
        yield f"{EXTENSION.name}: {symbol} is to be shown, and nothing else" if symbol in SHOWN else \
            f"{EXTENSION.name}: shows {symbol}"
    dynamic = lines_of("readelf", "--dynamic", str(EXTENSION))
    linked = [line.split("[")[1].rstrip("]") for line in dynamic if "(NEEDED)" in line]
    for name in sorted(set(linked) ^ set(LINKED)):
        yield f"{EXTENSION.name}: links {name}" if name in linked else f"{EXTENSION.name}: does not link {name}"


tree.finish(list(faults()))

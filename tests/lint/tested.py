#!/usr/bin/python3
"""Every module of proto/, kernels/ and the client library has a unit test; the
extension of Python, which is tested from Python, has tests/python/test_native.py."""

import tree

# Modules without a file of their own, and the test that goes through them: parts
# of one subject that is tested as a whole.
ELSEWHERE = {
    # What a view and a resolve stand on.
    "kernels/choice_memo.c": "kernels/test-resolve.c",
    "kernels/found.c": "kernels/test-resolve.c",
    "kernels/trace.c": "kernels/test-explain.c",
    "kernels/host_list.c": "kernels/test-host_mapping.c",
    # The index is built by several files and read back by its reader.
    "kernels/index_block.c": "kernels/test-index_builder.c",
    "kernels/index_cells.c": "kernels/test-index_builder.c",
    "kernels/index_pool.c": "kernels/test-index_builder.c",
    "kernels/layer_set.c": "kernels/test-index_builder.c",
    "kernels/perfect_hash.c": "kernels/test-index_builder.c",
    "kernels/stored.c": "kernels/test-store.c",
    "kernels/mapping_set.c": "kernels/test-mapping-file.c",
    # The library is tested by its public functions, against a scripted peer.
    "client/answer.c": "client/test-acquire.c",
    "client/drive.c": "client/test-call.c",
    "client/kernel.c": "client/test-acquire.c",
    "client/native.c": "client/test-acquire.c",
    "client/reconnect.c": "client/test-view.c",
    "client/record.c": "client/test-view.c",
    "client/request.c": "client/test-call.c",
    "client/resolve.c": "client/test-call.c",
}


def candidates(folder, stem):
    """The test of "codec_value" is test-codec_value.c, or test-codec.c for its family."""
    parts = stem.split("_")
    for n in range(len(parts), 0, -1):
        for joint in "_-":
            yield tree.ROOT / "tests" / "unit" / folder / f"test-{joint.join(parts[:n])}.c"


def main():
    faults = []
    for folder in ("proto", "kernels", "client"):
        for path in tree.files([folder], ".c"):
            if path.parts[1] in ("kernelsctl", "python") or str(path) in ELSEWHERE:
                continue
            if not any(test.exists() for test in candidates(folder, path.stem)):
                faults.append(f"{path}: no tests/unit/{folder}/test-{path.stem}.c")
    for path in tree.files(["client/python"], ".c"):
        if not (tree.ROOT / "tests" / "python" / "test_native.py").exists():
            faults.append(f"{path}: no tests/python/test_native.py")
    for path, test in ELSEWHERE.items():
        if not (tree.ROOT / path).exists() or not (tree.ROOT / "tests" / "unit" / test).exists():
            faults.append(f"{path}, tests/unit/{test}: in the table of exceptions, but not there")
    tree.finish(faults)


main()

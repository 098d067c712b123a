"""kernelize on a GPU: a CUDA layer in four processes, a kernel's capability, and
transformers."""

import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys

import pytest
import torch

import harness
import llama_kernel

HERE = pathlib.Path(__file__).resolve().parent


def short(version):
    return "".join(version.split("+")[0].split(".")[:2])


def variant_name():
    abi = "cxx11" if torch.compiled_with_cxx11_abi() else "cxx98"
    return f"torch{short(torch.__version__)}-{abi}-cu{short(torch.version.cuda)}-{platform.machine()}-linux"


def archs():
    major, minor = torch.cuda.get_device_capability()
    return [f"{major}.{minor}"]


@pytest.fixture(scope="session")
def extension(tmp_path_factory):
    """The built torch extension; nvcc takes a minute."""
    if shutil.which("nvcc") is None or shutil.which("ninja") is None:
        pytest.skip("nvcc and ninja build the CUDA layer; they are not here")
    from torch.utils import cpp_extension

    folder = tmp_path_factory.mktemp("extension")
    os.environ["TORCH_CUDA_ARCH_LIST"] = archs()[0]
    cpp_extension.load("_silu_and_mul", [str(HERE / "silu_and_mul" / "kernel.cu")], build_directory=str(folder),
                       is_python_module=False)
    return folder / "_silu_and_mul.so"


@pytest.fixture
def silu(hub, extension):
    """The Hub has org/silu: the CUDA layer under its true variant name."""
    files = {name: (HERE / "silu_and_mul" / name).read_bytes() for name in ("__init__.py", "layers.py")}
    files["_silu_and_mul.so"] = extension.read_bytes()
    made = harness.kernel_files(variant_name(), files, backend="cuda")
    described = json.loads(made[f"build/{variant_name()}/metadata.json"])
    described["backend"]["archs"] = archs()
    made[f"build/{variant_name()}/metadata.json"] = json.dumps(described).encode()
    hub.add_repository("org/silu", {"v1": made}, trusted=True)


def environment(host, **more):
    places = [str(harness.BUILD / "client" / "python"), *os.environ.get("PYTHONPATH", "").split(":")]
    return {**os.environ, "PYTHONPATH": ":".join(filter(None, places)), "KERNELSD_SOCKET": str(host.socket),
            "HF_HUB_OFFLINE": "0", **more}


def test_a_cuda_layer_in_four_processes(hub, host, silu, figures):
    hub.reset_requests()
    workers = [
        subprocess.Popen([sys.executable, HERE / "worker.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                         env=environment(host))
        for _ in range(4)
    ]
    try:
        for worker in workers:
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            worker.stdin.write("go\n")
            worker.stdin.flush()
        seen = [json.loads(worker.stdout.readline()) for worker in workers]
        assert [worker.wait(harness.PATIENCE_S) for worker in workers] == [0] * 4
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
    assert max(row["error"] for row in seen) < 1e-5
    assert all(row["file"].startswith(str(host.cache)) and variant_name() in row["file"] for row in seen)
    assert len([entry for entry in hub.requests("cdn")]) == 1  # the library came down once for four
    figures["cuda_layer"] = {
        "device": torch.cuda.get_device_name(),
        "error": max(row["error"] for row in seen),
        "kernelize_ms_cold": sorted(round(row["kernelize_ms"], 1) for row in seen),
    }


def test_archs_without_this_one(hub, host, silu):
    """A kernel that was not built for this GPU is refused, before it could end the process."""
    import kernelsd

    files = harness.kernel_files("torch-cuda", {"__init__.py": b""}, backend="cuda")
    described = json.loads(files["build/torch-cuda/metadata.json"])
    described["backend"]["archs"] = ["1.0"]
    files["build/torch-cuda/metadata.json"] = json.dumps(described).encode()
    hub.add_repository("org/old", {"v1": files}, trusted=True)
    torch.zeros(1, device="cuda")
    with pytest.raises(FileNotFoundError, match="1.0"):
        kernelsd.get_kernel("org/old", version=1)


def test_capability_of_the_parameters_device(host):
    """The capability of the device that the parameters are on, whatever is current."""
    from kernelsd.device import named_target, torch_target

    for number in range(torch.cuda.device_count()):
        device = torch.device("cuda", number)
        major, minor = torch.cuda.get_device_capability(device)
        assert torch_target(device) == ("cuda", major * 10 + minor, None)
        assert named_target("cuda", device) == ("cuda", major * 10 + minor, None)


def test_transformers(hub, host, figures):
    pytest.importorskip("transformers")
    for repository, source in (("org/llama", llama_kernel.SOURCE), ("kernels-community/activation", llama_kernel.SILU)):
        files = {"__init__.py": b"from . import layers\n", "layers.py": source.encode()}
        hub.add_repository(repository, {"v1": harness.kernel_files("torch-cuda", files, backend="cuda")}, trusted=True)
    answer = harness.run([sys.executable, HERE / "llama.py"], env=environment(host))
    assert answer.returncode == 0, answer.stderr
    seen = json.loads(answer.stdout.splitlines()[-1])
    assert seen["available"]
    assert seen["calls"] == {"LlamaRMSNorm": 9, "Rotary": 4, "Silu": 4}
    assert seen["difference"] <= 1e-5 * seen["largest"]
    figures["transformers"] = seen

// silu(input[..., :d]) * input[..., d:] in float32, one thread an element.
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <torch/library.h>

static __global__ void silu_and_mul_kernel(float *out, const float *input, int64_t rows, int64_t d)
{
        int64_t at = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;

        if (at < rows * d) {
                int64_t row = at / d, column = at % d;
                float gate = input[row * 2 * d + column], value = input[row * 2 * d + d + column];

                out[at] = gate / (1.0f + expf(-gate)) * value;
        }
}

static void silu_and_mul(at::Tensor &out, const at::Tensor &input)
{
        int64_t d = out.size(-1), n = out.numel();
        const int threads = 256;

        TORCH_CHECK(input.size(-1) == 2 * d, "silu_and_mul: the last dimension of input must be twice that of out");
        TORCH_CHECK(out.is_contiguous() && input.is_contiguous(), "silu_and_mul: tensors must be contiguous");
        TORCH_CHECK(out.scalar_type() == at::kFloat && input.scalar_type() == at::kFloat, "silu_and_mul: float32 only");
        if (!n)
                return;
        c10::cuda::CUDAGuard guard(input.device());
        silu_and_mul_kernel<<<(unsigned)((n + threads - 1) / threads), threads, 0, at::cuda::getCurrentCUDAStream()>>>(
                out.data_ptr<float>(), input.data_ptr<float>(), n / d, d);
        C10_CUDA_KERNEL_LAUNCH_CHECK();
}

TORCH_LIBRARY(_kernelsd_silu_and_mul, library)
{
        library.def("silu_and_mul(Tensor(a!) out, Tensor input) -> ()");
        library.impl("silu_and_mul", c10::DispatchKey::CUDA, &silu_and_mul);
}

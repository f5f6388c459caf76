#include <torch/library.h>

void silu_and_mul(torch::Tensor& out, const torch::Tensor& x);
void transpose(torch::Tensor& out, const torch::Tensor& in);

TORCH_LIBRARY(tinyllm, m) {
  m.def("silu_and_mul(Tensor! out, Tensor x) -> ()");
  m.def("transpose(Tensor! out, Tensor input) -> ()");
}

TORCH_LIBRARY_IMPL(tinyllm, CUDA, m) {
  m.impl("silu_and_mul", &silu_and_mul);
  m.impl("transpose", &transpose);
}

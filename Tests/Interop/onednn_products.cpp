// Times oneDNN's matrix products at the shapes of SmolLM2, to be set beside `slm-bench kernels`:
//
//     apt-get install libdnnl-dev
//     c++ -O2 -fopenmp Tests/Interop/onednn_products.cpp -o /tmp/onednn_products -ldnnl
//     OMP_NUM_THREADS=2 /tmp/onednn_products 512
//
// One line per shape: GFLOP/s of x · Wᵀ in float32, in bfloat16 with float32 sums, and of
// int8 × int8 → int32; the best of several runs. "none" where the processor has no implementation
// other than oneDNN's reference loops.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <oneapi/dnnl/dnnl.hpp>
#include <vector>

using namespace dnnl;
using Type = memory::data_type;

static double gflops(engine& engine, stream& stream, long m, long n, long k, Type in, Type out) {
  memory::desc x({m, k}, in, memory::format_tag::ab), y({m, n}, out, memory::format_tag::ab);
  // The weight is [n, k] in rows, as checkpoints store it; oneDNN may lay it out anew beforehand.
  memory::desc any({k, n}, in, memory::format_tag::any);
  matmul::primitive_desc description;
  try {
    matmul::desc operation(x, any, y);
    description = matmul::primitive_desc(operation, engine);
  } catch (const error&) {
    return 0;
  }
  if (strstr(description.impl_info_str(), "ref")) return 0;
  memory a(x, engine), b(description.weights_desc(), engine), c(y, engine);
  memset(a.get_data_handle(), 1, x.get_size());
  memset(b.get_data_handle(), 1, description.weights_desc().get_size());
  matmul product(description);
  double best = 1e9;
  for (int run = 0; run < 12; run++) {
    auto start = std::chrono::steady_clock::now();
    product.execute(stream, {{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, c}});
    stream.wait();
    std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    best = std::min(best, time.count());
  }
  return 2.0 * m * n * k / best / 1e9;
}

static void print(double value) {
  if (value > 0) printf(" %9.0f", value); else printf("      none");
}

int main(int count, char** arguments) {
  long m = count > 1 ? atol(arguments[1]) : 512;
  engine cpu(engine::kind::cpu, 0);
  stream stream(cpu);
  printf("%ld rows       float32  bfloat16      int8\n", m);
  long shapes[][2] = {{576, 576}, {192, 576}, {1536, 576}, {576, 1536}, {49152, 576}};
  for (auto [n, k] : shapes) {
    printf("%5ld x %4ld ", n, k);
    print(gflops(cpu, stream, m, n, k, Type::f32, Type::f32));
    print(gflops(cpu, stream, m, n, k, Type::bf16, Type::f32));
    print(gflops(cpu, stream, m, n, k, Type::s8, Type::s32));
    printf("\n");
  }
}

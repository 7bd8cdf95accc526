#pragma once

// oneDNN 2 and 3 by one interface. In version 2 a memory descriptor is a value, and a primitive is made from
// an operation descriptor; in version 3 a memory descriptor is an object of the library's, and there are no
// operation descriptors.

#include <dnnl.hpp>

#include "kernels/core/check.h"
#include "kernels/tensor/tensor.h"

namespace nystrom::onednn {

inline void check(dnnl_status_t status, const char* what) {
  if (status != dnnl_success) fail("oneDNN's {} returned status {}", what, static_cast<int>(status));
}

/// The memory descriptor of a matrix of op(a), op(b) or c: its size, and the strides that make it transposed.
class MatrixDesc {
 public:
#if DNNL_VERSION_MAJOR >= 3
  using Handle = const_dnnl_memory_desc_t;
#else
  using Handle = const dnnl_memory_desc_t*;
#endif

  MatrixDesc(const Tensor& stored, bool transposed, std::int64_t rows, std::int64_t columns) {
    const dnnl_data_type_t type = stored.dtype == DType::kBF16 ? dnnl_bf16 : dnnl_f32;
    const std::int64_t stride = stored.shape.rank() < 2 ? columns : stored.dim(1);
    const dnnl_dims_t dims{rows, columns}, strides{transposed ? 1 : stride, transposed ? stride : 1};
#if DNNL_VERSION_MAJOR >= 3
    const dnnl_status_t status = dnnl_memory_desc_create_with_strides(&desc_, 2, dims, type, strides);
#else
    const dnnl_status_t status = dnnl_memory_desc_init_by_strides(&desc_, 2, dims, type, strides);
#endif
    check(status, "description of a matrix");
  }
  MatrixDesc(const MatrixDesc&) = delete;
  MatrixDesc& operator=(const MatrixDesc&) = delete;
#if DNNL_VERSION_MAJOR >= 3
  ~MatrixDesc() {
    dnnl_memory_desc_destroy(desc_);
  }
  [[nodiscard]] Handle get() const {
    return desc_;
  }
#else
  ~MatrixDesc() = default;
  [[nodiscard]] Handle get() const {
    return &desc_;
  }
#endif

 private:
  dnnl_memory_desc_t desc_{};
};

/// The primitive of c = a b, plus `bias` in every row where it is given.
inline dnnl::matmul make_matmul(const dnnl::engine& engine, const MatrixDesc& a, const MatrixDesc& b,
                                const MatrixDesc* bias, const MatrixDesc& c,
                                const dnnl::primitive_attr& attributes) {
  const MatrixDesc::Handle bias_desc = bias == nullptr ? nullptr : bias->get();
  dnnl_primitive_desc_t desc = nullptr;
#if DNNL_VERSION_MAJOR >= 3
  check(dnnl_matmul_primitive_desc_create(&desc, engine.get(), a.get(), b.get(), bias_desc, c.get(),
                                          attributes.get()),
        "description of a matrix product");
#else
  dnnl_matmul_desc_t product;
  check(dnnl_matmul_desc_init(&product, a.get(), b.get(), bias_desc, c.get()),
        "description of a matrix product");
  check(dnnl_primitive_desc_create(&desc, &product, attributes.get(), engine.get(), nullptr),
        "description of a matrix product's primitive");
#endif
  return dnnl::matmul(dnnl::matmul::primitive_desc(desc));
}

}  // namespace nystrom::onednn

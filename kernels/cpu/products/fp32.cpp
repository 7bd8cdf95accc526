#include "kernels/cpu/products/fp32.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/products/fp32.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/products/panels-inl.h"
#include "kernels/cpu/products/tile_fp32-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nystrom::HWY_NAMESPACE {
namespace {

void pack(const Lanes& from, std::int64_t lanes, std::int64_t count, std::byte* to, std::int64_t pitch) {
  pack_panels(reinterpret_cast<const float*>(from.data), from.lane / kWord, from.step / kWord, lanes, count,
              reinterpret_cast<float*>(to), pitch);
}

void product(Context& context, const Product& args) {
  static constexpr ProductKernels kKernels{.number = 4,
                                           .result = 4,
                                           .tile_rows = kTileRows,
                                           .tile_columns = kTileColumns,
                                           .block = 384,
                                           .multiple = 1,
                                           .pack_a = &pack,
                                           .pack_b = &pack,
                                           .multiply = &any_tile};
  multiply(context, args, kKernels);
}

}  // namespace
}  // namespace nystrom::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nystrom {

HWY_EXPORT(product);
HWY_EXPORT(pack);

void product_fp32(Context& context, const Product& args) {
  HWY_DYNAMIC_DISPATCH(product)(context, args);
}

void pack_words(const Lanes& from, std::int64_t lanes, std::int64_t count, std::byte* to,
                std::int64_t pitch) {
  HWY_DYNAMIC_DISPATCH(pack)(from, lanes, count, to, pitch);
}

}  // namespace nystrom
#endif

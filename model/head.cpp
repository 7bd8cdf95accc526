#include "model/head.h"

#include "kernels/fill.h"

namespace nystrom {

void Head::reset_sums(Context& context) {
  fill_zero(context, sums_);
}

}  // namespace nystrom

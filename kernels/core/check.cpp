#include "kernels/core/check.h"

#include <string_view>

namespace nystrom::detail {

void check_failed(const char* file, int line, const char* condition, const std::string& values) {
  std::string_view name = file;
  if (const auto slash = name.rfind('/'); slash != std::string_view::npos) name.remove_prefix(slash + 1);
  throw InternalError(
      fmt::format("internal error at {}:{}: {} ({} does not hold)", name, line, values, condition));
}

}  // namespace nystrom::detail

#include "kernels/core/context.h"

namespace nystrom {

void OpScope::record() noexcept {
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start_;
  auto found = profile_->find(name_);
  if (found == profile_->end()) found = profile_->emplace(std::string(name_), OpCount{}).first;
  OpCount& count = found->second;
  ++count.calls;
  count.seconds += spent.count();
  count.flops += flops_;
  count.bytes += bytes_;
}

}  // namespace nystrom

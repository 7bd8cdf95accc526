#pragma once

#include <string>

#include "kernels/core/check.h"

namespace nystrom::testing {

/// The message of the InputError that `call` throws; "accepted" where it throws none.
template <class Call>
std::string refusal(const Call& call) {
  try {
    (void)call();
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace nystrom::testing

#include "trainer/consistency.h"

#include "data/sha256.h"

namespace nystrom {

std::string digest_of(const RunIdentity& identity) {
  Sha256 digest;
  const auto add = [&digest](const std::string& text) {
    digest.update(fmt::format("{}:", text.size()));  // so that no two lists of texts look alike
    digest.update(text);
  };
  add(std::to_string(identity.seed));
  add(identity.configuration);
  add(identity.tokenizer);
  for (const auto& [key, value] : identity.settings) {
    add(key);
    add(value);
  }
  return digest.hex();
}

std::string digest_of(const Tensor& values) {
  Sha256 digest;
  digest.update(values.address, values.bytes());
  return digest.hex();
}

void require_agreement(Comm& comm, std::initializer_list<AgreementItem> items) {
  if (comm.ranks() == 1) return;
  for (const AgreementItem& item : items) {
    const auto all = comm.all_gather_text(item.value, "the comparison of the ranks");
    for (std::size_t rank = 1; rank < all.size(); ++rank)
      if (all[rank] != all[0])
        fail(
            "Rank {} does not have the {} of rank 0. Start every rank with the same program, configuration "
            "and "
            "files.",
            rank, item.name);
  }
}

}  // namespace nystrom

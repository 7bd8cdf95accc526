#pragma once
// What the messages of a running job mean and what to do: docs/messages.md is made of this table by
// `nystrom --help-messages`, and a test looks each sentence up in the code.

#include <span>
#include <string>
#include <string_view>

namespace nystrom {

struct Message {
  std::string_view subject;   ///< heading under which it stands
  std::string_view sentence;  ///< as it is printed; … stands for names and numbers
  int status;                 ///< exit status of the job; 0: it goes on
  std::string_view meaning;
  std::string_view action;
};

std::span<const Message> messages();

/// docs/messages.md.
std::string messages_document();

}  // namespace nystrom

#pragma once
// Table of a job's messages, with cause and action: `nystrom --help-messages` prints it as docs/messages.md.
// A test looks each message up in the sources.

#include <span>
#include <string>
#include <string_view>

namespace nystrom {

struct Message {
  std::string_view subject;   ///< heading in docs/messages.md
  std::string_view sentence;  ///< as it is printed; … stands for names and numbers
  int status;                 ///< exit status of the job; 0: it continues
  std::string_view cause;
  std::string_view action;
};

std::span<const Message> messages();

/// docs/messages.md.
std::string messages_document();

}  // namespace nystrom

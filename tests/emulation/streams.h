#pragma once
// Streams, events and captures, to the parts of the emulation that work with them.

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "machine.h"

namespace nystrom::emulation {

/// One recording of an event.
struct Ticket {
  bool done = false;
  double seconds = 0;
};

struct Operation {
  std::string name;
  std::function<bool()> run;  // whether it is done
};

/// What a stream is given between cudaStreamBeginCapture and cudaStreamEndCapture.
struct Capture {
  std::vector<Operation> operations;
  bool valid = true;  // nothing was asked for that a capture forbids
};

struct StreamState {
  std::deque<Operation> queue;
  std::uint64_t priority = 0;  // drawn
  int cuda_priority = 0;       // asked for, and without effect here
  std::shared_ptr<Capture> capture;
};

struct EventState {
  std::shared_ptr<Ticket> last;
  std::shared_ptr<Capture> captured;  // where it was recorded last, if in a capture
};

std::vector<StreamState*>& streams();

/// Whether NYSTROM_EMULATION_FAILURE wants this call of that kernel to fail, or this graph ("graph").
bool is_to_fail(const std::string& kernel);

/// Keeps an error for cudaGetLastError.
cudaError_t remember(cudaError_t error);
/// Work for the stream, or for what it captures.
cudaError_t with_name(cudaStream_t stream, const char* name, std::function<bool()> work);
/// What is not allowed while this stream (null: any) captures: the capture is invalid, and the error
/// reported.
cudaError_t refuse_while_capturing(cudaStream_t stream);

}  // namespace nystrom::emulation

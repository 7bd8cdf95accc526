#pragma once
// Moved to kernels/core, so that model can use it too.
#include "kernels/core/files.h"

# cmake -DROOT=<source tree> -DVERSION=<version> -DOUTPUT=<file> -P cmake/WriteVersion.cmake
# Writes the source file that defines program_version(). A file that would not change is left alone, so each build can
# run this and compiles something only after a commit. Without git, or outside a checkout: the version alone.
cmake_minimum_required(VERSION 3.25)
execute_process(COMMAND git rev-parse --show-prefix --short=7 HEAD WORKING_DIRECTORY "${ROOT}"
                OUTPUT_VARIABLE answer ERROR_QUIET RESULT_VARIABLE status)
# The prefix is empty at the top of a checkout; elsewhere the commit is that of some other project.
if(status EQUAL 0 AND answer MATCHES "^\n([0-9a-f]+)\n$")
  string(APPEND VERSION " (${CMAKE_MATCH_1})")
endif()
file(CONFIGURE OUTPUT "${OUTPUT}" CONTENT [[
#include "launch/cli/version.h"

const char* nystrom::program_version() {
  return "@VERSION@";
}
]] @ONLY)

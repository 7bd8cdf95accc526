# cmake -DROOT=<source tree> -DFOLDER=<temporary folder> -P rooms_test.cmake
# The check of includes between folders (cmake/CheckRooms.cmake): wrong includes, planted in a small tree with the
# rooms.txt of this one, are refused by name, and right ones are not.
cmake_minimum_required(VERSION 3.25)

# check(<name> EXPECT <expression, or OK> FILES <path> <line>...)
function(check name)
  cmake_parse_arguments(ARG "" "EXPECT" "FILES" ${ARGN})
  file(REMOVE_RECURSE "${FOLDER}")
  file(COPY "${ROOT}/cmake/rooms.txt" DESTINATION "${FOLDER}/cmake")
  while(ARG_FILES)
    list(POP_FRONT ARG_FILES path line)
    file(APPEND "${FOLDER}/${path}" "${line}\n")
  endwhile()
  execute_process(COMMAND "${CMAKE_COMMAND}" -DROOT=${FOLDER} -P "${ROOT}/cmake/CheckRooms.cmake"
    RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE errors)
  if(ARG_EXPECT STREQUAL "OK")
    if(NOT status EQUAL 0)
      message(SEND_ERROR "${name}: should pass, but the check says:\n${errors}")
    endif()
  elseif(status EQUAL 0)
    message(SEND_ERROR "${name}: should be refused, and passes")
  elseif(NOT errors MATCHES "${ARG_EXPECT}")
    message(SEND_ERROR "${name}: is refused, but not with ${ARG_EXPECT}:\n${errors}")
  endif()
  file(REMOVE_RECURSE "${FOLDER}")
endfunction()

check("downwards" EXPECT OK FILES
  trainer/trainer.cpp "#include \"kernels/core/check.h\""
  kernels/core/check.h "#include <string>")
check("within a folder" EXPECT OK FILES
  data/text/clean.cpp "#include \"data/text/utf8.h\"")
check("upwards" EXPECT "kernels/core/check.h includes trainer/trainer.h" FILES
  kernels/core/check.h "#include \"trainer/trainer.h\"")
check("upwards within a folder" EXPECT "data/text/clean.cpp includes data/corpus/corpus.h" FILES
  data/text/clean.cpp "#include \"data/corpus/corpus.h\"")
check("downwards into what is internal" EXPECT "launch/main.cpp includes kernels/cpu/matmul.h" FILES
  launch/main.cpp "#include \"kernels/cpu/matmul.h\"")
check("sideways" EXPECT "kernels/cuda/gelu.cu includes kernels/cpu/matmul.h" FILES
  kernels/cuda/gelu.cu "#include \"kernels/cpu/matmul.h\"")
check("an unlisted folder" EXPECT "data/attic/old.cpp: cmake/rooms.txt does not list the folder data/attic" FILES
  data/attic/old.cpp "#include <string>")
check("a dependency on a folder below" EXPECT "data/attic names launch/attic" FILES
  cmake/rooms.txt "data/attic: launch/attic")

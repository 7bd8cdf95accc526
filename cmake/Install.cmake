# cmake --install BUILD --prefix PREFIX: the program, its launchers, the configurations and the documents. Nothing in them
# knows PREFIX, so the tree can be moved. CPack makes a Debian package of the same tree:
#
#   cpack --config build/CPackConfig.cmake -B packages        packages/nystrom_0.1.0-1~deb12_amd64.deb
#
# A tar with all libraries is made by launch/package/tar.sh.
include(GNUInstallDirs)
set(nystrom_share "${CMAKE_INSTALL_DATADIR}/nystrom")

install(TARGETS nystrom RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
install(DIRECTORY configs DESTINATION "${nystrom_share}")
# Not what builds or tests the sources.
install(PROGRAMS launch/leaderboard.sh launch/mpirun.sh launch/quickstart-text.sh launch/quickstart.sh
        DESTINATION "${nystrom_share}/launch")
install(DIRECTORY launch/kubernetes launch/slurm launch/systemd DESTINATION "${nystrom_share}/launch")
install(DIRECTORY contrib DESTINATION "${nystrom_share}" USE_SOURCE_PERMISSIONS
        PATTERN "__pycache__" EXCLUDE PATTERN "tests" EXCLUDE)
install(PROGRAMS launch/verify/make_case.py DESTINATION "${nystrom_share}/launch/verify")

install(FILES CHANGELOG.md CITATION.cff CONTRIBUTING.md README.md SECURITY.md
        DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DOCDIR}" RENAME copyright)
install(DIRECTORY docs DESTINATION "${CMAKE_INSTALL_DOCDIR}" FILES_MATCHING PATTERN "*.md" PATTERN "*.svg")

# nystrom-mpirun is the launcher, found through PATH. The program itself writes its manual page and completions.
install(CODE [[
  set(root "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}")]])
install(CODE "
  set(bin \"\${root}/${CMAKE_INSTALL_BINDIR}\")
  file(RELATIVE_PATH launcher \"\${bin}\" \"\${root}/${nystrom_share}/launch/mpirun.sh\")
  file(CREATE_LINK \"\${launcher}\" \"\${bin}/nystrom-mpirun\" SYMBOLIC)
  function(nystrom_write file)
    get_filename_component(folder \"\${root}/\${file}\" DIRECTORY)
    file(MAKE_DIRECTORY \"\${folder}\")
    execute_process(COMMAND \"$<TARGET_FILE:nystrom>\" \${ARGN} OUTPUT_FILE \"\${root}/\${file}\"
                    COMMAND_ERROR_IS_FATAL ANY)
    message(STATUS \"Installing: \${root}/\${file}\")
  endfunction()
  nystrom_write(\"${CMAKE_INSTALL_MANDIR}/man1/nystrom.1\" --help-man)
  nystrom_write(\"${CMAKE_INSTALL_DATADIR}/bash-completion/completions/nystrom\" --help-completion bash)
  nystrom_write(\"${CMAKE_INSTALL_DATADIR}/zsh/site-functions/_nystrom\" --help-completion zsh)
  nystrom_write(\"${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d/nystrom.fish\" --help-completion fish)")

# The Debian package, for the system that it is built on: dpkg-shlibdeps finds the libraries' packages and versions.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME nystrom)
set(CPACK_PACKAGE_VENDOR "The nystrom developers")
set(CPACK_PACKAGE_CONTACT "The nystrom developers <nystrom@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGE_DESCRIPTION "From raw text to a tokenizer, HDF5 shards, a training run over MPI that
resumes to the same bits, fine-tuning, prediction, and models for Hugging Face
transformers.")
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS openmpi-bin)  # mpirun, and what a program that was started without it asks for
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "openssh-client, python3, python3-h5py, zip")
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(nystrom_distribution "")
if(EXISTS /etc/os-release)
  file(STRINGS /etc/os-release release REGEX "^(ID|VERSION_ID)=")
  string(REGEX REPLACE "[^a-z0-9.=;_A-Z]" "" release "${release}")
  if(release MATCHES "(^|;)ID=([a-z]+)")
    string(SUBSTRING "${CMAKE_MATCH_2}" 0 3 nystrom_distribution)
    if(release MATCHES "VERSION_ID=([0-9.]+)")
      string(PREPEND nystrom_distribution "~")
      string(APPEND nystrom_distribution "${CMAKE_MATCH_1}")
    endif()
  endif()
endif()
set(CPACK_DEBIAN_PACKAGE_RELEASE "1${nystrom_distribution}")
include(CPack)

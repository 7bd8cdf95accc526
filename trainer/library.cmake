find_package(MPI REQUIRED COMPONENTS CXX)

nystrom_add_library(trainer FOLDER trainer
  SOURCES
    batch_source.cpp
    checkpoint_folder.cpp
    checkpoint_read.cpp
    checkpoint_write.cpp
    comm.cpp
    evaluation.cpp
    metrics.cpp
    model_record.cpp
    mpi_comm.cpp
    optimizer.cpp
    progress.cpp
    reducer.cpp
    schedule.cpp
    seal.cpp
    signals.cpp
    tensorboard.cpp
  LINKS nystrom_model nystrom_data
  PRIVATE_LINKS MPI::MPI_CXX)

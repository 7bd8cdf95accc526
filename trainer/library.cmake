find_package(MPI REQUIRED COMPONENTS CXX)

nystrom_add_library(trainer FOLDER trainer
  SOURCES
    append_file.cpp
    batch_source.cpp
    checkpoint_content.cpp
    checkpoint_folder.cpp
    checkpoint_read.cpp
    checkpoint_saver.cpp
    checkpoint_write.cpp
    checkpoint_writer.cpp
    comm.cpp
    device_reduction.cpp
    consistency.cpp
    evaluation.cpp
    finetune.cpp
    heartbeat.cpp
    loader_source.cpp
    metrics.cpp
    micro_batch.cpp
    model_record.cpp
    mpi_comm.cpp
    mpi_handles.cpp
    mpi_peers.cpp
    optimizer.cpp
    parts.cpp
    pinv_residuals.cpp
    pretrain.cpp
    process_info.cpp
    progress.cpp
    reducer.cpp
    run_directory.cpp
    run_lock.cpp
    run_session.cpp
    schedule.cpp
    seal.cpp
    self_check.cpp
    signals.cpp
    spike_guard.cpp
    task_outputs.cpp
    task_report.cpp
    task_results.cpp
    task_source.cpp
    tensorboard.cpp
    threads.cpp
    trainer.cpp
  CUDA_SOURCES
    nccl_reduction.cpp
    staged_reduction.cpp
  LINKS nystrom_model nystrom_data
  PRIVATE_LINKS MPI::MPI_CXX)
if(NYSTROM_CUDA_BUILD STREQUAL "emulation")
  target_link_libraries(nystrom_trainer PRIVATE nystrom_emulation_nccl)
elseif(NYSTROM_CUDA_BUILD STREQUAL "on")
  target_link_libraries(nystrom_trainer PRIVATE ${CMAKE_DL_LIBS})
endif()

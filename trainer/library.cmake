find_package(MPI REQUIRED COMPONENTS CXX)

# What surrounds the training loop, without arithmetic.
file(GLOB light CONFIGURE_DEPENDS trainer/checkpoint/*.cpp trainer/guards/*.cpp trainer/metrics/*.cpp
  trainer/process/*.cpp trainer/run/*.cpp trainer/tasks/*.cpp)
nystrom_optimize_lightly(${light})

file(GLOB alone CONFIGURE_DEPENDS trainer/optimizer/*.cpp)
nystrom_compile_alone(${alone})

nystrom_add_library(trainer FOLDER trainer
  SOURCES
    finetune.cpp in_batch_pass.cpp pretrain.cpp start_report.cpp trainer.cpp
    batches/batch_source.cpp batches/loader_source.cpp batches/micro_batch.cpp batches/span_source.cpp
    checkpoint/background.cpp checkpoint/content.cpp checkpoint/folder.cpp checkpoint/header.cpp
    checkpoint/model_record.cpp checkpoint/read.cpp checkpoint/restore.cpp checkpoint/saver.cpp
    checkpoint/write.cpp
    comm/clock.cpp comm/comm.cpp comm/launcher.cpp comm/mpi_comm.cpp
    comm/mpi_peers.cpp comm/rank_group.cpp comm/reducer.cpp comm/stripes.cpp comm/threads.cpp comm/tree_sum.cpp
    guards/consistency.cpp guards/self_check.cpp guards/spike_guard.cpp guards/step_guard.cpp
    metrics/append_file.cpp metrics/evaluation.cpp metrics/gradient_noise.cpp metrics/metrics.cpp metrics/pinv_residuals.cpp
    metrics/prometheus_file.cpp metrics/report_command.cpp
    metrics/progress.cpp metrics/step_profile.cpp metrics/tensorboard.cpp metrics/trace_file.cpp
    optimizer/adamw.cpp optimizer/adamw_range.cpp optimizer/lamb.cpp optimizer/muon.cpp optimizer/optimizer.cpp
    optimizer/schedule.cpp optimizer/stable_adamw.cpp optimizer/state_layout.cpp optimizer/tensor_rates.cpp
    optimizer/tensorwise.cpp optimizer/weight_exchange.cpp optimizer/zero_partition.cpp
    process/process_info.cpp process/signals.cpp
    run/heartbeat.cpp run/run_directory.cpp run/run_lock.cpp run/run_session.cpp
    tasks/answers.cpp tasks/in_batch_options.cpp tasks/masked_source.cpp tasks/task_outputs.cpp
    tasks/task_details.cpp tasks/task_results.cpp tasks/task_source.cpp
  HEADERS_OF tensor
  LINKS nystrom_model nystrom_data
  PRIVATE_LINKS MPI::MPI_CXX nystrom_gpu_collectives)

# What depends on the backend, apart from the rest, which the emulation takes from build/.
nystrom_add_library(gpu_collectives FOLDER trainer FOLDER_OF trainer
  SOURCES comm/gpu_collectives.cpp comm/mpi_handles.cpp
  CUDA_SOURCES comm/nccl.cpp comm/staged.cpp
  HEADERS_OF tensor
  LINKS nystrom_trainer
  PRIVATE_LINKS MPI::MPI_CXX)
if(NYSTROM_CUDA_BUILD STREQUAL "emulation")
  target_link_libraries(nystrom_gpu_collectives PRIVATE nystrom_emulation_nccl)
elseif(NYSTROM_CUDA_BUILD STREQUAL "on")
  target_link_libraries(nystrom_gpu_collectives PRIVATE ${CMAKE_DL_LIBS})
endif()

# Built only when asked for: ninja data_benchmark
add_executable(data_benchmark EXCLUDE_FROM_ALL benchmarks/data/data_benchmark.cpp)
target_link_libraries(data_benchmark PRIVATE nystrom_data nystrom_core nystrom_options)

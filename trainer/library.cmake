nystrom_add_library(trainer FOLDER trainer
  SOURCES
    batch_source.cpp
    optimizer.cpp
    schedule.cpp
  LINKS nystrom_model nystrom_data)

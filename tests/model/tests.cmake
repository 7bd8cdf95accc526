nystrom_add_test(model_test
  SOURCES
    tests/model/huggingface_test.cpp
    tests/model/network_gradient_test.cpp
    tests/model/network_invariance_test.cpp
    tests/model/safetensors_test.cpp
  LINKS nystrom_model
  LABELS model)

nystrom_add_test(golden_test
  SOURCES tests/model/golden_test.cpp
  LINKS nystrom_launch
  LABELS golden)

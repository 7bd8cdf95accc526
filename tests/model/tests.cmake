nystrom_add_test(model_test
  SOURCES
    tests/model/attention/random_test.cpp
    tests/model/attention/registry_test.cpp
    tests/model/exchange/huggingface_test.cpp
    tests/model/network_gradient_test.cpp
    tests/model/network_invariance_test.cpp
    tests/model/parameters/initialization_test.cpp
    tests/model/exchange/safetensors_test.cpp
    tests/model/layers/batch_test.cpp
    tests/model/sequence_cuts_test.cpp
  LINKS nystrom_model
  LABELS model)

nystrom_add_test(heads_test
  SOURCES
    tests/model/heads/head_ops_test.cpp
    tests/model/heads/heads_test.cpp
    tests/model/heads/in_batch_loss_test.cpp
  LINKS nystrom_model nlohmann_json::nlohmann_json
  LABELS tasks)

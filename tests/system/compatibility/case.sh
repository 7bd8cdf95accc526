# A tiny deterministic pretraining case, written into the current directory: text.txt and config.yaml. Sourced.

# 360 sentences over a fixed vocabulary, by a linear congruential generator.
awk 'BEGIN {
  n = split("the a river stone light city water house green small old new runs falls turns keeps over under near with " \
            "from every some dark cold warm north south east west", words, " ")
  x = 1
  for (document = 0; document < 120; ++document) {
    for (sentence = 0; sentence < 3; ++sentence) {
      line = ""
      for (word = 0; word < 8; ++word) {
        x = (x * 69069 + 12345) % 2147483648
        line = line (word ? " " : "") words[1 + int(x / 65536) % n]
      }
      print line "."
    }
    print ""
  }
}' >text.txt

cat >config.yaml <<'END'
corpus: [{kind: lines, path: text.txt}]
tokenizer: {kind: unigram, vocabulary_size: 80}
output: {directory: prepared, validation_fraction: 0.1}
run: {directory: run, threads: 1, log_every: 1}
model:
  hidden_size: 32
  layers: 2
  heads: 2
  intermediate_size: 64
  max_positions: 64
  attention: {kind: nystrom, landmarks: 8, convolution: 3}
data: {shards: [prepared/train/*.h5], validation: [prepared/validation/*.h5], sequence_length: 64}
training: {steps: 12, global_batch: 4, micro_batch: 2, precision: fp32, on_spike: skip}
optimizer: {learning_rate: 1.0e-3}
schedule: {kind: linear, warmup_steps: 2}
checkpoint: {every_steps: 4, keep: 10}
evaluation: {every_steps: 4, batches: 2}
END

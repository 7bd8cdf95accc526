"""The model card of encoder.py's encoder, from the results of its stages."""
from experiment import text_of

TITLE = "# A small Nyströmformer for English, pretrained on two CPU cores"
# Of fine-tuning: what the weights were.
HEADINGS = {"pretrain": "from this model", "softmax": "from its softmax twin", "scratch": "from random weights"}
LIMITS = """## Limits

- Nine tenths of the text are English film reviews. Other kinds of text are rare in it; other languages, code and
  recent events are absent.
- A small model and little text: expect few facts and weak inference between sentences (RTE, MRPC and XQuAD above).
- Scores of GLUE are those of the best epoch on the validation split, so slightly optimistic. XQuAD and WNUT 17 are not
  the standard evaluations: of XQuAD's 240 paragraphs every fifth is the test, the others the training set, and WNUT 17
  is trained on its training split and tested on its development split.
- Reviews and novels carry opinions and prejudices, which no filter has removed."""


def card(converted, prepare, pretrain, softmax, finetune):
    """`converted` is the card that `nystrom convert` wrote: its front matter, its shape and what transformers computes
    are kept, its title and its training log are replaced."""
    front, _, rest = converted.partition("# A Nyströmformer")
    shape = rest.partition("## Training")[0].strip()
    parts = [front + TITLE, shape, data_of(prepare), recipe_of(pretrain), twin_of(pretrain, softmax),
             scores_of(finetune), LIMITS]
    return "\n\n".join(part for part in parts if part) + "\n"


def data_of(prepare):
    if not prepare:
        return ""
    text = prepare["12000"]
    rows = [f"| {source['name']} | {source['documents']:,} | {source['bytes'] / 1e6:.1f} | "
            f"{source['tokens'] / 1e6:.2f} |" for source in text["sources"]]
    return "\n".join(["## Data", "", "| source | documents | MB of text | million tokens |", "|---|---|---|---|", *rows,
                      "", "IMDB is the training half and the unlabelled part of the Large Movie Review Dataset, "
                      "nothing of its test half; books are English novels in the public domain; wikipedia is a sample "
                      "of an English dump (CC BY-SA, Wikipedia contributors). One document in a hundred is held out "
                      "for validation."])


def recipe_of(pretrain):
    if not pretrain:
        return ""
    rows = [f"| {name} | {phase['steps']:,} | {phase['tokens'] / 1e6:,.1f} | {phase['hours']:.2f} |"
            for name, phase in pretrain["phases"].items()]
    scores = [f"| {name} | {cells_of(score)} |" for name, score in pretrain["scores"].items()]
    return "\n".join(["## Training", "", f"{pretrain['parameters'] / 1e6:.1f} million parameters, "
                      f"{pretrain['tokens'] / 1e6:,.1f} million tokens, {pretrain['hours']:.2f} hours of "
                      f"{pretrain['threads']} CPU threads. Masked language modelling and sentence order, first at 512 "
                      "tokens with a constant rate, then at 2,048 tokens with the positions repeated and a falling "
                      "rate (`configs/cpu-encoder.yaml` and `configs/cpu-encoder-long.yaml` of nystrom).", "",
                      "| phase | steps | million tokens | hours |", "|---|---|---|---|", *rows, "",
                      "On the validation text, 15 % of the tokens masked: pairs of segments and single segments of up "
                      "to 512 tokens, and pairs of up to 128 (`short`) and 2,048 (`long`).", "",
                      "| conditions | MLM loss | MLM accuracy | SOP accuracy |", "|---|---|---|---|", *scores])


def twin_of(pretrain, softmax):
    """The comparison with softmax attention; nothing while there is none."""
    if not pretrain or not softmax:
        return ""
    kinds = [(name, results) for name, results in (("Nyström", pretrain), ("softmax", softmax))
             if "long" in results["phases"]]
    rows = [f"| {name} | {results['phases']['long']['steps']:,} | {cells_of(results['scores']['long'])} |"
            for name, results in kinds]
    start = ", from the weights of this model's first phase," if softmax["first_phase"] == "nystrom" else ""
    return "\n".join(["## Softmax attention in the same time", "", f"The same recipe with softmax attention{start} for "
                      "as many steps as take the same time by short runs of both in turn; pairs of segments of up to "
                      "2,048 tokens:", "", "| attention | steps at 2,048 tokens | MLM loss | MLM accuracy | "
                      "SOP accuracy |", "|---|---|---|---|---|", *rows])


def cells_of(scores):
    """MLM loss, MLM accuracy and SOP accuracy of an evaluation; no SOP where it had hardly any pairs."""
    sop = f"{100 * scores['sop_accuracy']:.1f} %" if scores.get("sop_labels", 0) >= 100 else "-"
    return f"{scores['mlm_loss']:.3f} | {100 * scores['mlm_accuracy']:.1f} % | {sop}"


def scores_of(finetune):
    if not finetune:
        return ""
    origins = [origin for origin in HEADINGS if any(origin in values for values in finetune.values())]
    rows = [f"| {name} | {metric} | {seeds} | {' | '.join(cells)} |"
            for name, metric, seeds, cells in rows_of(finetune, origins)]
    return "\n".join(["## Fine-tuned", "", "Median over seeds (minimum to maximum), each with the same recipe:", "",
                      f"| task | metric | seeds | {' | '.join(HEADINGS[origin] for origin in origins)} |",
                      "|---" * (3 + len(origins)) + "|", *rows])


def rows_of(finetune, origins):
    """Rows of the table of fine-tuning: name, metric, seeds and a cell for each origin. IMDB has further ones by the
    length of the reviews, XQuAD one for its second metric."""
    for task, values in finetune.items():
        rows = [(f"{task} ({values['split']})", values["metric"], ())]
        if task.startswith("imdb-"):
            rows += [("... reviews that fit into 512 tokens", values["metric"], ("by_length", "fit")),
                     ("... longer reviews", values["metric"], ("by_length", "longer"))]
        if task == "xquad":
            rows += [("...", "exact_match", ("exact_match",))]
        seeds = ", ".join(str(len(values[origin][values["split"]])) if origin in values else "-" for origin in origins)
        for number, (name, metric, path) in enumerate(rows):
            yield name, metric, "" if number else seeds, [text_of(at(values.get(origin), path)) for origin in origins]


def at(values, path):
    """The value at a path of keys; None where one is missing."""
    for key in path:
        values = (values or {}).get(key)
    return values

"""What run.py prints: a line for each stage, and the figures side by side at the end."""


def line(entry):
    text = f"{entry['part']:<44} {entry.get('seconds', 0):>7.1f} s  {entry['status']}"
    if "tokens_per_second" in entry:
        text += f"  {entry['tokens_per_second']:,.0f} tokens/s"
    if "share_of_bound" in entry:
        text += f"  {100 * entry['share_of_bound']:.1f} % of the bound"
    if "distance" in entry:
        text += f"  largest relative difference of a loss {entry['distance']:.1e}"
    return text


def figure_rows(entries):
    yield f"{'':<30}{'tokens/s':>12}{'ns/token':>10}{'of bound':>10}{'GiB':>8}"
    for entry in entries:
        if "tokens_per_second" not in entry:
            continue
        rate, share = entry["tokens_per_second"], entry.get("share_of_bound")
        yield (f"{entry['part']:<30}{rate:>12,.0f}{1e9 / rate:>10,.0f}{f'{100 * share:.0f} %' if share else '':>10}"
               f"{entry['peak_memory_bytes'] / 2**30:>8.1f}")


RATIOS = (("over transformers eager, 512", "bench nystrom 512", "transformers eager 512"),
          ("over transformers compiled, 512", "bench nystrom 512", "transformers compiled 512"),
          ("nystrom over softmax, 512", "bench nystrom 512", "bench softmax 512"),
          ("nystrom over softmax, 4096", "bench nystrom 4096", "bench softmax 4096"),
          ("nystrom over softmax, 8192", "bench nystrom 8192", "bench softmax 8192"),
          ("nystrom over BERT with torch's fused attention, 512", "bench nystrom 512", "transformers sdpa 512"),
          ("nystrom over BERT with torch's fused attention, 4096", "bench nystrom 4096", "transformers sdpa 4096"),
          ("wgmma over mma.sync, 512", "bench nystrom 512", "bench nystrom 512 without wgmma"),
          ("65536 over 4096", "bench nystrom 65536", "bench nystrom 4096"),
          ("graph over none, 512 x 4", "bench nystrom 512 x 4 graph", "bench nystrom 512 x 4"))


def ratio_rows(entries):
    rates = {entry["part"]: entry["tokens_per_second"] for entry in entries if "tokens_per_second" in entry}
    for text, one, other in RATIOS:
        if one in rates and other in rates:
            yield f"{text:<54}{rates[one] / rates[other]:>6.2f}"


def kernel_rows(entries, part, most=24):
    """The longest kernels of a bench, in ns a token."""
    entry = next((entry for entry in entries if entry["part"] == part and "kernels" in entry), None)
    if entry is None:
        return
    tokens = entry["tokens_per_second"] * entry["milliseconds_per_step"] / 1e3
    kernels = sorted(entry["kernels"].items(), key=lambda item: -item[1]["milliseconds"])
    yield f"{part}, by kernel{'':<34}{'calls':>8}{'ns/token':>10}"
    for name, time in kernels[:most]:
        yield f"  {name:<58}{time['calls']:>8}{1e6 * time['milliseconds'] / tokens:>10.1f}"
    rest = sum(time["milliseconds"] for _, time in kernels[most:])
    yield f"  {f'{len(kernels[most:])} others':<66}{1e6 * rest / tokens:>10.1f}"


def machine_rows(entries):
    for entry in entries:
        machine = entry.get("machine")
        if machine:
            yield (f"measured by {entry['part']}: {machine.get('gpu', machine.get('processor'))}, "
                   f"{machine['bf16_gflops'] / 1e3:.1f} TFLOP/s in bf16, {machine['fp32_gflops'] / 1e3:.2f} in fp32, "
                   f"copy {machine['copy_gigabytes_per_second']:.0f} GB/s"
                   + (f"; wgmma {machine['wgmma']}" if "wgmma" in machine else ""))
            return


def text(entries):
    """Stages, then kernels, then ratios and figures: what matters most comes last, where a cut would not reach."""
    failed = [entry["part"] for entry in entries if entry["status"] != "passed"]
    blocks = [[line(entry) for entry in entries],
              list(kernel_rows(entries, "bench nystrom 4096", 12)),
              list(kernel_rows(entries, "bench nystrom 512 without wgmma", 8)), list(kernel_rows(entries, "bench nystrom 512")),
              list(machine_rows(entries)), list(figure_rows(entries)), list(ratio_rows(entries)),
              [f"{len(entries) - len(failed)} of {len(entries)} stages passed"
               + (f"; not: {', '.join(failed)}" if failed else "")]]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"

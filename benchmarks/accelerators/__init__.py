"""Programs for TPU and GPU, compiled for described devices on a machine that has none.

`chips` holds the published peak rates, `described` the devices, `programs` compiles for them,
`traffic` and `benchmarks.compiled_text` count what a compiled program does, `roofline` says how
fast that could be at best, `table` prints it.
"""

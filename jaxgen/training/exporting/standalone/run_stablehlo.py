"""Runs the program of this folder: it needs JAX with flatbuffers, and NumPy; no jaxgen.

    pip install jax flatbuffers numpy

    python run_stablehlo.py                           # is it what was exported?
    python run_stablehlo.py --n 16 --out images.npy   # a generator: images of new noise
    python run_stablehlo.py --features features.npy   # a captioner: a sentence a row

Every file is held against SHA256SUMS first, and the program against check.safetensors.
"""

import argparse
import hashlib
import json
import math
import sys
from pathlib import Path

import jax
import numpy as np
from jax import export

FOLDER = Path(__file__).resolve().parent
DTYPES = {"F32": "<f4", "F64": "<f8", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U8": "u1"}


def refuse(sentence):
    """End with a sentence."""
    sys.exit(f"error: {sentence}")


def verify_files():
    """Hold every file against its SHA-256."""
    try:
        lines = (FOLDER / "SHA256SUMS").read_text("ascii").splitlines()
        for digest, name in (line.split("  ") for line in lines):
            if hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() != digest:
                refuse(f"{name} is not as it was exported; restore it from a copy")
    except (OSError, ValueError) as error:
        refuse(f"SHA256SUMS or a file that it names cannot be read ({error})")


def read_arrays(name):
    """The arrays of a safetensors file."""
    content = (FOLDER / name).read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    arrays = {}
    for key, told in json.loads(content[8:start]).items():
        if key != "__metadata__":
            begin, end = (start + place for place in told["data_offsets"])
            flat = np.frombuffer(content[begin:end], DTYPES[told["dtype"]])
            if flat.size != math.prod(told["shape"]):
                refuse(f"{name}: {key} is not whole")
            arrays[key] = flat.reshape(told["shape"])
    return arrays


def part(arrays, prefix):
    """The arrays whose names begin so, without that beginning."""
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}


def verify_program(run, check, tolerance):
    """See that the program makes what it made when it was exported."""
    made, worst = run(part(check, "inputs.")), 0.0
    for name, expected in part(check, "outputs.").items():
        if expected.dtype.kind == "f":
            off = np.abs(made[name] - expected) / np.maximum(1, np.abs(expected))
            worst = max(worst, float(off.max()))
        elif not np.array_equal(made[name], expected):
            refuse(f"the program makes other {name} than when it was exported")
    if not worst <= tolerance:
        refuse(f"the program is off by {worst:.2g} where {tolerance:g} is allowed")
    print(f"verified on {jax.default_backend()}: off by {worst:.2g}, {tolerance:g} is allowed")


def noise(config, n, seed):
    """Inputs of a generator: noise of its distribution; classes in turn, clusters by their size."""
    rng, size = np.random.default_rng(seed), config["config"]["noise_size"]
    normal = config["config"]["noise"] == "normal"
    drawn = rng.normal(size=(n, size)) if normal else rng.uniform(-1, 1, (n, size))
    inputs = {"noise": drawn.astype(np.float32)}
    if config["config"]["conditional"]:
        inputs["label"] = np.arange(n, dtype=np.int32) % config["about"]["classes"]
    elif sizes := config["about"].get("cluster_sizes"):
        shares = np.asarray(sizes) / sum(sizes)
        inputs["label"] = rng.choice(len(sizes), n, p=shares).astype(np.int32)
    return inputs


def sentence(config, words):
    """Indices of words as text."""
    vocabulary, found = config["about"]["vocabulary"], []
    for index in words:
        word = vocabulary[index]
        if word == "<END>":
            break
        if word not in ("<NULL>", "<START>"):
            found.append(word)
    spelt = config["config"]["data"].get("units") == "characters"
    return ("" if spelt else " ").join(found)


def main():
    """Verify, then do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, help="images to make")
    parser.add_argument("--seed", type=int, default=0, help="of their noise")
    parser.add_argument("--out", default="images.npy", help="file for them")
    parser.add_argument("--features", help=".npy file of float32 (N, ...) to caption")
    chosen = parser.parse_args()
    verify_files()
    config = json.loads((FOLDER / "config.json").read_text("utf-8"))
    program = config["program"]
    try:
        stored = export.deserialize(bytearray((FOLDER / f"{program}.stablehlo").read_bytes()))
    except ImportError as error:
        refuse(f"JAX needs another package to read it ({error})")
    weights, call = read_arrays("model.safetensors"), jax.jit(stored.call)

    def run(inputs):
        return {name: np.asarray(array) for name, array in call(weights, inputs).items()}

    verify_program(run, read_arrays("check.safetensors"), config["tolerance"])
    if chosen.features and program == "captioner":
        features = np.load(chosen.features, allow_pickle=False).astype(np.float32)
        if list(features.shape[1:]) != config["about"]["feature_shape"] or not len(features):
            refuse(f"features must be (N, *{config['about']['feature_shape']})")
        for words in run({"features": features})["words"]:
            print(sentence(config, words))
    elif chosen.n and program == "generator":
        if chosen.n < 1:
            refuse("--n must be at least 1")
        images = run(noise(config, chosen.n, chosen.seed))["images"]
        np.save(chosen.out, images)
        print(f"{len(images)} images, float32 {images.shape[1:]} in [-1, 1], in {chosen.out}")
    elif chosen.features or chosen.n:
        refuse(f"this folder holds a {program}: give {'--features' if chosen.n else '--n'}")


if __name__ == "__main__":
    main()

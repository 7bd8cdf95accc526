# Copyright the nystrom developers. SPDX-License-Identifier: Apache-2.0
"""Spack package of nystrom: see contrib/spack/README.md."""

import pathlib

from spack.package import *


class Nystrom(CMakePackage, CudaPackage):
    """Pretraining of Nystromformers, transformer encoders with attention linear in the sequence
    length: from raw text to a tokenizer, HDF5 shards, a bit-exactly resumable run over MPI, and
    models for Hugging Face transformers."""

    homepage = "https://arxiv.org/abs/2102.03902"
    git = pathlib.Path(__file__).resolve().parents[4].as_uri()  # the clone that this recipe is in

    license("Apache-2.0")

    version("develop", branch="main")

    variant("cuda", default=False, description="The CUDA backend")

    generator("ninja")

    depends_on("cxx", type="build")
    depends_on("cmake@3.25:", type="build")
    depends_on("mpi")
    depends_on("hdf5@1.10:~mpi")
    depends_on("onednn@2.6: cpu_runtime=omp")
    depends_on("highway@1.0:")
    depends_on("sentencepiece@0.1.97:")
    depends_on("icu4c@72:")
    depends_on("yaml-cpp@0.7:")
    depends_on("cli11@2.1:")
    depends_on("spdlog@1.10:")
    depends_on("fmt@9:")
    depends_on("nlohmann-json@3.11:")
    depends_on("openssl@3:")
    depends_on("zlib-api")
    depends_on("bzip2")
    depends_on("xz")
    depends_on("zstd")
    depends_on("libarchive@3:")
    depends_on("xxhash@0.8:")
    depends_on("libpng@1.6:")
    depends_on("cuda@12.8:", when="+cuda", type="build")

    requires("%gcc@12:", msg="nystrom is C++20 with OpenMP, and is tested with GCC")
    requires("target=x86_64_v3:", msg="AVX2 and FMA are needed")
    conflicts("cuda_arch=none", when="+cuda", msg="name the GPUs: cuda_arch=90")

    def cmake_args(self):
        args = [
            self.define("BUILD_TESTING", False),
            self.define("NYSTROM_WERROR", False),
            self.define("NYSTROM_CUDA", "on" if self.spec.satisfies("+cuda") else "off"),
            self.define("MPI_CXX_COMPILER", self.spec["mpi"].mpicxx),
        ]
        if self.spec.satisfies("+cuda"):
            architectures = [f"{arch}-real" for arch in self.spec.variants["cuda_arch"].value]
            args.append(self.define("NYSTROM_CUDA_ARCHITECTURES", architectures))
        return args

    @run_after("install")
    @on_package_attributes(run_tests=True)
    def check_install(self):
        Executable(self.prefix.bin.nystrom)("verify", "--self")

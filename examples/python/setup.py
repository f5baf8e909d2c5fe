"""Adds the classes of the contract, made from proto/, to what is installed."""

import subprocess
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

PROTO = Path("proto")


class BuildWithContract(build_py):
    def run(self) -> None:
        super().run()
        # The rules in buf/validate are options of the contract's fields, so the contract imports them.
        files = sorted(str(f) for f in PROTO.rglob("*.proto"))
        if not files:
            sys.exit("no .proto files in proto/: run `kycbridge schema export --proto proto` first")
        command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={PROTO}"]
        command += [f"--python_out={self.build_lib}", f"--pyi_out={self.build_lib}"]
        subprocess.check_call(command + files)


setup(cmdclass={"build_py": BuildWithContract})

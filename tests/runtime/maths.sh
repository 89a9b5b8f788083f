# The f32 functions of runtime/core/maths.h as kernels get them: within their bounds for every target that this
# processor has, the same bits from vectorised loops and single calls, from both compilers, and however the compiler
# contracts.
: "${ROOT:=$(cd "$(dirname "$0")/../.." && pwd)}"
run=$ROOT/tests/exhaustive/run
has() { grep -q -w "$1" /proc/cpuinfo; }
targets=plain
! has sse4_2 || targets="$targets x86-64-v2"
! { has avx2 && has fma && has bmi2; } || targets="$targets x86-64-v3"
! { has avx512vl && has avx512bw; } || targets="$targets x86-64-v4"

compilers=gcc
! command -v clang-19 >/dev/null || compilers="$compilers clang-19"

digests() { # TARGET: one line for each way of compiling
  for cc in $compilers; do
    CC=$cc TARGET=$1 "$run" --bits >bits || { cat bits >&2; echo "$cc, $1: bits differ"; }
    cksum <bits
    CC=$cc TARGET=$1 MORE_FLAGS=-ffp-contract=off "$run" --bits | cksum
    CC=$cc TARGET=$1 MORE_FLAGS=-O1 "$run" --bits | cksum
  done
}
for target in $targets; do
  if [ "$(digests "$target" | sort -u | wc -l)" -ne 1 ]; then
    echo "$target: not the same bits"
    digests "$target"
    exit 1
  fi
  TARGET=$target "$run" --quick >errors || { cat errors; exit 1; }
done

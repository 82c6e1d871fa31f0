#!/usr/bin/env bash
# One door: `./build.sh VERB [options]`; `./build.sh` alone lists the verbs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
    cat <<'END'
usage: ./build.sh VERB [options]

  setup [--test]                 install what is missing, make .venv/ with `minnow` in it (--test: and what tests need)
  demo [--no-serve] [--port N]   set up, train Pong until it reaches its bar, verify it, build the site and serve it
  test [--full] [pytest args]    set up and run all tests (--full: the long forms too)
  types                          check the types of all sources
  native                         compile every environment for this machine
  wasm                           compile every environment to WebAssembly
  site [options]                 build the static site (`minnow site build`)
  header                         put cinfer/minnow.h together from the rooms of cinfer/src/
  fuzz [--minutes N]             attack minnow.h with files for so long (default 1), under sanitizers
  bench [options]                measure the environments (`minnow bench envs`)
END
}

TORCH=2.13.0
VENV=.venv
LOGS=build

say() { printf '==> %s\n' "$*"; }

fail() {
    printf 'build.sh: %s\n' "$*" >&2
    exit 1
}

# Runs one named step in the foreground; its failure ends everything, in words.
step() {
    local name=$1 began=$SECONDS status=0
    shift
    say "$name: $*"
    "$@" || status=$?
    [[ $status == 0 ]] || fail "$name failed (exit status $status): $*"
    say "$name took $((SECONDS - began)) s"
}

# --- long jobs: each writes build/NAME.log, and a line of it is shown whenever it changes -----------------------------

declare -A JOB=()

start() {
    local name=$1
    shift
    "$@" >"$LOGS/$name.log" 2>&1 </dev/null &
    JOB[$name]=$!
}

# Waits for the started jobs, showing each one's newest line, or that it is still at work.
follow() {
    local began=$SECONDS name line status failed=""
    declare -A shown=() at=()
    while ((${#JOB[@]})); do
        sleep 0.5
        for name in "${!JOB[@]}"; do
            line=$(tail -c 4000 "$LOGS/$name.log" | tr '\r' '\n' | grep -v '^[[:space:]]*$' | tail -n 1 | cut -c 1-110) || true
            if [[ $line != "${shown[$name]-}" && $((SECONDS - ${at[$name]--2})) -ge 2 ]]; then
                printf '    %-4s %4d s  %s\n' "$name" $((SECONDS - began)) "$line"
                shown[$name]=$line at[$name]=$SECONDS
            elif [[ $((SECONDS - ${at[$name]-$SECONDS})) -ge 10 ]]; then
                printf '    %-4s %4d s  ... %s\n' "$name" $((SECONDS - began)) "$line"
                at[$name]=$SECONDS
            fi
            if ! kill -0 "${JOB[$name]}" 2>/dev/null; then
                status=0
                wait "${JOB[$name]}" || status=$?
                unset "JOB[$name]"
                if [[ $status == 0 ]]; then
                    say "$name done after $((SECONDS - began)) s"
                else
                    failed+=" $name"
                    tail -n 25 "$LOGS/$name.log" >&2
                    printf 'build.sh: %s failed (exit status %d); the whole log is %s/%s.log\n' \
                        "$name" "$status" "$LOGS" "$name" >&2
                fi
            fi
        done
    done
    [[ -z $failed ]] || exit 1
}

# Background jobs do not hear Ctrl-C by themselves.
stop_jobs() {
    local name
    for name in "${!JOB[@]}"; do kill "${JOB[$name]}" 2>/dev/null || true; done
}
trap stop_jobs EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# --- setup ------------------------------------------------------------------------------------------------------------

# Is the Debian package NAME there, or what it is needed for, from wherever it came?
has() {
    case $1 in
    python3-venv) [[ -x $VENV/bin/pip ]] || python3 -c 'import ensurepip, venv' 2>/dev/null ;;
    libc6-dev) [[ -e /usr/include/stdio.h || $(uname) != Linux ]] ;;
    libclang-rt-14-dev) compgen -G "/usr/lib/llvm-*/lib/clang/*/lib/*/libclang_rt.asan*" >/dev/null || [[ $(uname) != Linux ]] ;;
    emscripten) command -v emcc >/dev/null ;;
    qemu-user) command -v qemu-aarch64 >/dev/null ;;
    gcc-aarch64-linux-gnu) command -v aarch64-linux-gnu-gcc >/dev/null ;;
    libc6-dev-arm64-cross) [[ -e /usr/aarch64-linux-gnu/include/stdio.h ]] ;;
    gcc-arm-none-eabi) command -v arm-none-eabi-gcc >/dev/null ;;
    libnewlib-arm-none-eabi) [[ -e /usr/lib/arm-none-eabi/newlib/nano.specs ]] ;;
    librust-cc-dev) compgen -G "/usr/share/cargo/registry/cc-*" >/dev/null ;;
    nodejs) command -v node >/dev/null ;;
    xvfb) command -v Xvfb >/dev/null ;;
    libgl1) compgen -G "/usr/lib/*/libGL.so.1" >/dev/null ;;
    libgl1-mesa-dri) compgen -G "/usr/lib/*/dri/swrast_dri.so" >/dev/null ;;
    node-typescript) command -v tsc >/dev/null ;;
    *) command -v "$1" >/dev/null ;;
    esac
}

missing() {
    local name
    for name in "$@"; do has "$name" || printf '%s\n' "$name"; done
}

install_apt() { $SUDO env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -q "$@"; }

# One broken source among many is no reason to stop: what cannot be had from the others shows at the next step.
update_apt() { install_apt update || echo "apt-get update failed; going on with the package lists that are here"; }

install_pip() {
    # Without a CPU build among what pip is configured to find, this pin brings CUDA on x86 Linux.
    $VENV/bin/python -m pip install --disable-pip-version-check --no-input --progress-bar off "torch==$TORCH" -e "$1"
}

announce_pip() {
    local found
    if compgen -G "$VENV/lib/python3*/site-packages/torch-$TORCH*.dist-info" >/dev/null; then
        say "pip brings $VENV/ up to date; torch $TORCH is there"
        return 0
    fi
    found=$($VENV/bin/python -m pip --disable-pip-version-check index versions torch 2>/dev/null | grep -o "\b${TORCH}[+0-9a-z.]*" | head -n 1) || true
    case $found in
    *+cpu) say "pip downloads torch $found (the CPU build, about 200 MB) and about 50 smaller packages (about 150 MB)" ;;
    *) say "pip downloads torch $TORCH and about 50 smaller packages; on x86 Linux this torch brings CUDA with it, several gigabytes." \
        "To have the small CPU build instead, stop (Ctrl-C) and set PIP_FIND_LINKS or PIP_EXTRA_INDEX_URL to where one is." ;;
    esac
}

setup() {
    local level=run extra=. system=(python3-venv gcc libc6-dev emscripten nodejs esbuild npm) absent size key
    if [[ ${1-} == --test ]]; then
        level=test extra='.[test]'
        system+=(git g++ ffmpeg cmake make cargo rustc librust-cc-dev qemu-user qemu-system-arm gcc-aarch64-linux-gnu
            libc6-dev-arm64-cross gcc-arm-none-eabi libnewlib-arm-none-eabi clang libclang-rt-14-dev chromium firefox-esr node-typescript
            shellcheck xvfb xauth xdotool libgl1 libgl1-mesa-dri)
        shift
    fi
    [[ $# == 0 ]] || fail "setup: unknown option '$1'; it takes --test or nothing"
    key="$PWD $(cksum pyproject.toml) $TORCH"
    mapfile -t absent < <(missing "${system[@]}")
    if ((${#absent[@]} == 0)) && [[ $key == "$(cat $VENV/minnow-$level 2>/dev/null)" ]]; then
        return 0
    fi

    mkdir -p $LOGS
    if ((${#absent[@]})); then
        SUDO=""
        if ((EUID)); then SUDO="sudo -n"; fi
        if ! grep -qs '^ID=debian' /etc/os-release; then
            fail "this is not Debian, so nothing was installed. Install, under their names here: ${absent[*]}; then run this again"
        elif [[ -n $SUDO ]] && ! $SUDO true 2>/dev/null; then
            fail "not root and no sudo without a password, so nothing was installed. As root, run:
    apt-get update && apt-get install --no-install-recommends ${absent[*]}
then run this again"
        fi
        say "missing system packages: ${absent[*]}"
        start apt update_apt
        follow
        size=$(apt-get install --no-install-recommends --print-uris -qq "${absent[@]}" | awk '{ sum += $3 } END { print int(sum / 1e6 + 1) }') ||
            fail "apt cannot install ${absent[*]} (above is why; $LOGS/apt.log holds the update of its lists)"
        say "apt downloads $size MB"
        # pip can work beside the rest of apt, once there is a python that can make an environment.
        if ! has python3-venv; then
            start apt install_apt install -y --no-install-recommends python3-venv
            follow
        fi
    fi
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
        fail "python3 is missing or older than 3.11: $(python3 --version 2>&1 || true)"
    if ((${#absent[@]})); then
        start apt install_apt install -y --no-install-recommends "${absent[@]}"
    fi
    if [[ $key != "$(cat $VENV/minnow-$level 2>/dev/null)" ]]; then
        [[ -x $VENV/bin/pip ]] || python3 -m venv --clear $VENV
        announce_pip
        start pip install_pip "$extra"
    fi
    follow
    printf '%s\n' "$key" | tee $VENV/minnow-run >"$VENV/minnow-$level"
    say "set up in $SECONDS s: $VENV/bin/minnow"
}

# --- the other verbs --------------------------------------------------------------------------------------------------

minnow() { "$VENV/bin/minnow" "$@"; }

# Compiles every environment by a call on its `name`; the results lie in minnow's cache.
compile_all() {
    "$VENV/bin/python" -c "
import minnow.envs, minnow.web.game
for name in minnow.envs.names():
    $1
    print(name, 'compiled', flush=True)"
}

# Trains Pong into runs/pong/demo until it reaches its bar, and says whether it did.
train_demo() {
    local status=0
    minnow train pong --until-bar --budget 60 --out runs/pong/demo --json >$LOGS/demo.json || status=$?
    if [[ $status == 0 ]]; then return 0; fi
    grep -q '"reached": false' $LOGS/demo.json || fail "training failed (exit status $status)"
    return 1
}

demo() {
    local serve=yes port=()
    while (($#)); do
        case $1 in
        --no-serve) serve=no ;;
        --port)
            [[ ${2-} =~ ^[0-9]+$ ]] || fail "demo: --port needs a number, got '${2-}'"
            port=(--port "$2")
            shift
            ;;
        *) fail "demo: unknown option '$1'; it takes --no-serve and --port N" ;;
        esac
        shift
    done
    setup
    mkdir -p $LOGS
    say "training"
    if train_demo; then
        step "verification" minnow verify runs/pong/demo/policy.minnow
        step "the site" minnow site build --policy pong=runs/pong/demo/policy.minnow
    else
        step "the site" minnow site build
        fail "no seed reached Pong's bar, so the site in site/ has the Pong that came with this checkout. See it:
    $VENV/bin/minnow serve site"
    fi
    say "demo ready after $SECONDS s"
    if [[ $serve == yes ]]; then
        exec "$VENV/bin/minnow" serve site "${port[@]}"
    fi
}

# One process: four fifths of the time with all instruction sets, then plain C alone, which reads weights where they
# stand. What it finds lies in build/fuzz/ as crash-*, and `build/fuzz/policy FILE` or `build/fuzz/scalar FILE` shows it
# again.
fuzz() {
    local minutes=1
    if [[ ${1-} == --minutes && ${2-} =~ ^[0-9]+$ ]]; then
        minutes=$2
        shift 2
    fi
    [[ $# == 0 ]] || fail "fuzz: unknown option '$1'; it takes --minutes N"
    setup --test
    mkdir -p build/fuzz/found
    step "the target" clang -O1 -g -std=c11 -fsanitize=fuzzer,address,undefined,float-cast-overflow -fno-sanitize-recover=all \
        -Icinfer cinfer/fuzz/policy.c -o build/fuzz/policy
    step "the target in plain C" clang -DMINNOW_SCALAR -g -O1 -std=c11 -fno-sanitize-recover=all \
        -fsanitize=fuzzer,address,undefined,float-cast-overflow -Icinfer cinfer/fuzz/policy.c -o build/fuzz/scalar
    step "the seeds" "$VENV/bin/python" tests/seeds.py build/fuzz/seeds
    step "fuzzing" build/fuzz/policy -max_total_time=$((48 * minutes)) -max_len=16384 -timeout=120 -rss_limit_mb=2048 \
        -artifact_prefix=build/fuzz/ -print_final_stats=1 build/fuzz/found build/fuzz/seeds cinfer/hostile
    step "fuzzing plain C" build/fuzz/scalar -max_total_time=$((12 * minutes)) -max_len=16384 -timeout=120 \
        -rss_limit_mb=2048 -artifact_prefix=build/fuzz/ -print_final_stats=1 build/fuzz/found build/fuzz/seeds cinfer/hostile
}

main() {
    local verb=${1-}
    [[ $# == 0 ]] || shift
    case $verb in
    setup) setup "$@" ;;
    demo) demo "$@" ;;
    test)
        setup --test
        exec "$VENV/bin/python" -m pytest -n "$(nproc)" --dist worksteal "$@"
        ;;
    types)
        setup --test
        exec "$VENV/bin/python" tests/typecheck.py
        ;;
    native)
        setup
        compile_all 'minnow.envs.library(name)'
        ;;
    wasm)
        setup
        compile_all 'minnow.web.game.wasm(name)'
        ;;
    site)
        setup
        minnow site build "$@"
        ;;
    header)
        setup
        "$VENV/bin/python" -m minnow.cinfer.assemble
        ;;
    fuzz) fuzz "$@" ;;
    bench)
        setup
        minnow bench envs "$@"
        ;;
    "" | -h | --help | help) usage ;;
    *)
        usage >&2
        fail "unknown verb '$verb'"
        ;;
    esac
}

main "$@"

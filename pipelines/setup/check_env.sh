# check_env.sh [hint]: says which environment make uses, has it set up if need be (setup_env.py), and with `hint` says
# how to activate it. Where nothing is to be done it takes some 30 ms.
. pipelines/setup/which_env.sh

say() { echo "environment: $1" >&2; }

# macOS has the one or the other; its older readlink knows no -f, and setup_env.py then looks instead.
hashes() {
    if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi
}

# What the stamp says of one that is ready: the lock, where it is, its Python; and of which kind PyTorch is.
ready() {
    facts="ready
$(hashes requirements.lock lib/core/working_copy.py)
place $env
python $(readlink -f "$env/bin/python" 2>/dev/null)"
    case ${HOURGLASS_TORCH-}/$(cat "$env/hourglass.stamp" 2>/dev/null) in
    "/$facts
torch default" | "/$facts
torch cpu" | "cpu/$facts
torch cpu") "$env/bin/python" -I -S -c '' 2>/dev/null ;;
    *) false ;;
    esac
}

# Any Python that can run setup_env.py, best one that can make environments too.
find_python() {
    found=
    for python in python3 python3.13 python3.12 python3.11 "$env/bin/python"; do
        "$python" -I -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null || continue
        found=${found:-$python}
        "$python" -I -c 'import ensurepip, venv' 2>/dev/null && found=$python && break
    done
    [ -n "$found" ] || say "no Python from 3.11 to 3.13 on PATH that $(id -un) may run; install one and run make again"
    [ -n "$found" ]
}

active=${VIRTUAL_ENV:-${CONDA_PREFIX-}}
[ "${CONDA_DEFAULT_ENV-}" != base ] || active=${VIRTUAL_ENV-}  # base is what conda itself lives in
case $MAKELEVEL/$active in
1/ | "1/$env") say "$env" ;;
1/*) say "$env (the active $active is left alone; ENV=$active would use it)" ;;
esac
ready || { find_python && "$found" -I pipelines/setup/setup_env.py "$env" "$given"; } || exit 1
[ "${1-}" = hint ] || exit 0
case $env in
*:*) echo "make shell opens a shell in it (its path has a colon, so it cannot be activated)" ;;
"$here/.venv") echo ". .venv/bin/activate activates it in this shell; make shell opens a shell in it" ;;
*) echo "make shell ENV='$env' opens a shell in it" ;;
esac

# setup_env.sh ENV UV_VERSION STAMP: install requirements.lock and this package into ENV, creating .venv where it is missing.
set -eu
env=$1 uv=$2 stamp=$3
if [ "$env" = "$PWD/.venv" ]; then
    echo "environment: $env (no active environment; delete the folder to start afresh)"
    if ! [ -x "$env/bin/python" ]; then
        for python in python3 python3.13 python3.12 python3.11; do
            "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && break
            python=
        done
        [ -n "$python" ] || { echo "no Python from 3.11 to 3.13 found on PATH; install one and run make again" >&2; exit 1; }
        "$python" -m venv "$env"
    fi
else
    echo "environment: $env (active; its packages are set to requirements.lock)"
fi
"$env/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$uv"
"$env/bin/python" -m uv pip install --python "$env/bin/python" --require-hashes --requirement requirements.lock
"$env/bin/python" -m uv pip install --python "$env/bin/python" --quiet --no-deps --editable .
"$env/bin/python" -m compileall -q -j 0 "$("$env/bin/python" -c "import sysconfig; print(sysconfig.get_path(\"purelib\"))")" >/dev/null || true  # a notebook starts twice as fast
rm -rf "$(dirname "$stamp")" && mkdir -p "$(dirname "$stamp")" && touch "$stamp"

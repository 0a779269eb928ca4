# Sourced in the working copy by the scripts beside it: sets `here` and `env`, the environment that make uses.
# That is .venv here, whatever is active, unless ENV names another.
here=$(pwd -P)
given=${HOURGLASS_ENV-}
# Many systems set ENV to a file that shells read when they start; that one is not meant.
[ "${HOURGLASS_ENV_FROM-}" = environment ] && [ -f "$given" ] && given=
env=$here/.venv
case ${given%/} in
"" | .venv | "$env") ;;
*) env=$(cd -- "$given" 2>/dev/null && pwd -P) || env=$given ;;
esac

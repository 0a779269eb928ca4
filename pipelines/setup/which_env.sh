# Sourced in the working copy by the scripts beside it: sets `here` and `env`, the environment that make uses.
# That is .venv here, whatever is active, unless ENV names another.
here=$(pwd -P)
[ -w . ] || { echo "make writes to $here, which $(id -un) may not; clone it elsewhere: git clone '$here' hourglass" >&2; exit 1; }

# uv then trusts whom the system trusts, as pip does, and not only whom it knows itself.
for known in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
    [ ! -s "$known" ] || export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-1}"
done

given=${HOURGLASS_ENV-}
# Many systems set ENV to a file that shells read when they start; that one is not meant.
[ "${HOURGLASS_ENV_FROM-}" = environment ] && [ -f "$given" ] && given=
env=$here/.venv
case ${given%/} in
"" | .venv | "$env") ;;
*) env=$(cd -- "$given" 2>/dev/null && pwd -P) || env=$given ;;
esac

# Print the environment that make uses: an active one (conda's base is left alone), otherwise .venv here.
if [ -n "$CONDA_PREFIX" ] && [ "$CONDA_DEFAULT_ENV" != base ]; then
    echo "$CONDA_PREFIX"
elif [ -n "$VIRTUAL_ENV" ]; then
    echo "$VIRTUAL_ENV"
else
    echo "$PWD/.venv"
fi

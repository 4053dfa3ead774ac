# Shared by the runs of other engines: the binary, the engines' virtual environments, and the check of
# an engine. Each engine has its own environment in .venv, because their dependencies conflict. Its
# output decides, not its exit code. Source this file from the root of the project.
target="${CARGO_TARGET_DIR:-$(cargo metadata --no-deps --format-version 1 | python3 -c 'import json,sys; print(json.load(sys.stdin)["target_directory"])')}"
binary="$target/debug/lakeplan"
cargo build --locked --quiet

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
export LAKEPLAN_LAKE="$work/lake"
failed=0

environment() { # name, packages...
    local name="$1"; shift
    if [ ! -x ".venv/$name/bin/python" ]; then python3 -m venv ".venv/$name"; fi
    if ".venv/$name/bin/python" -m pip install --quiet --disable-pip-version-check "$@" 2>".venv/$name.log"; then return 0; fi
    echo "skipped: $name cannot be installed: $(tail -n 1 ".venv/$name.log")"
    return 1
}

expect_output() { # environment, expected line, script, arguments...
    local name="$1" expected="$2"; shift 2
    ".venv/$name/bin/python" "$@" > "$work/stdout" 2> "$work/stderr" || true
    cat "$work/stdout"
    grep -q "^$expected" "$work/stdout" && return 0
    tail -n 5 "$work/stderr" >&2
    failed=1
    return 1
}

read_with() { # environment, reader
    expect_output "$1" "all equal: $1" "tests/readers/$2" "$work" || echo "error: $1 reads other rows than lakeplan wrote" >&2
}

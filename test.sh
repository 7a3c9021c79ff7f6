#!/usr/bin/env bash
# Builds, checks and tests everything; the last line is "N passed, N failed" (", N skipped"), and the exit code is 0 only when nothing failed.
#
#   ./test.sh                    everything but the tests of the category Full
#   ./test.sh --full             these too: long versions of tests, some of which take half an hour
#   ./test.sh --quick            for every day: without the slow tests, and the format only of files that git sees as changed
#   ./test.sh ReadingInputFiles  only tests whose full name holds the text; also an expression of `dotnet test --filter`
#
# With CI=true a skipped test is a failed one.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
exec < /dev/null

quick=false
full=false
filter=
for argument in "$@"; do
  case $argument in
    --quick) quick=true ;;
    --full) full=true ;;
    -h | --help) sed -n '2,9s/^# \{0,1\}//p' test.sh; exit 0 ;;
    -*) echo "test.sh: unknown option $argument" >&2; exit 2 ;;
    *) filter=$argument ;;
  esac
done

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 MSBUILDDISABLENODEREUSE=1
# No test may reach an endpoint or a setting of whoever runs it.
for name in $(compgen -e); do
  case $name in OPENAI_* | AZURE_OPENAI_* | LLMPIPE_*) unset "$name" ;; esac
done

passed=0
failed=0
skipped=0

say() { printf '\n== %s\n' "$1"; }

fail() {
  echo "FAILED: $1"
  failed=$((failed + 1))
}

finish() {
  trap - EXIT INT TERM
  local line="$passed passed, $failed failed"
  if [ "$skipped" -gt 0 ]; then line="$line, $skipped skipped"; fi
  printf '\n%s\n' "$line"
  if [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]; then exit 0; fi
  exit 1
}
trap 'fail interrupted; finish' INT TERM

has_compose() { command -v docker-compose > /dev/null 2>&1 || docker compose version > /dev/null 2>&1; }

compose() {
  if command -v docker-compose > /dev/null 2>&1; then docker-compose "$@"; else docker compose "$@"; fi
}

# What the checks need beside the .NET SDK.
install_tools() {
  local packages=() root=()
  command -v redis-server > /dev/null 2>&1 || packages+=(redis-server)
  command -v faketime > /dev/null 2>&1 || packages+=(faketime)
  command -v gcc > /dev/null 2>&1 || packages+=(gcc libc6-dev)
  command -v node > /dev/null 2>&1 || packages+=(nodejs)
  command -v npm > /dev/null 2>&1 || packages+=(npm)
  command -v jq > /dev/null 2>&1 || packages+=(jq)
  command -v zsh > /dev/null 2>&1 || packages+=(zsh)
  command -v fish > /dev/null 2>&1 || packages+=(fish)
  has_compose || packages+=(docker-compose)
  if [ ${#packages[@]} -eq 0 ]; then return; fi
  if ! command -v apt-get > /dev/null 2>&1; then
    echo "missing, and there is no apt-get to install it: ${packages[*]}"
    return
  fi
  if [ "$(id -u)" -ne 0 ]; then
    if ! sudo -n true 2> /dev/null; then
      echo "missing, and neither root nor sudo without a password to install it: ${packages[*]}"
      return
    fi
    root=(sudo -n)
  fi
  say "installing with apt-get: ${packages[*]}"
  mkdir -p .build
  if ! { "${root[@]}" apt-get update && "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages[@]}"; } > .build/apt.log 2>&1; then
    tail -n 20 .build/apt.log
    echo "apt-get failed; the checks that need it will fail"
    return
  fi
  # The tests start their own servers; the one that the package starts is not wanted.
  case " ${packages[*]} " in
    *" redis-server "*) { "${root[@]}" systemctl disable --now redis-server || "${root[@]}" service redis-server stop; } > /dev/null 2>&1 ;;
  esac
}

# The SDKs for Node that tests use, and the Node that they need; again when other versions are wanted.
install_node_client() {
  local folder=.build/node
  cmp -s tests/NodeClient/package-lock.json "$folder/installed.json" && return
  say "installing the Node clients"
  mkdir -p "$folder"
  cp tests/NodeClient/package.json tests/NodeClient/package-lock.json "$folder" || return
  if npm ci --prefix "$folder" --no-audit --no-fund > .build/npm.log 2>&1; then
    cp "$folder/package-lock.json" "$folder/installed.json"
  else
    tail -n 20 .build/npm.log
    echo "npm ci failed; the tests that need it will fail"
  fi
}

build() {
  say "build"
  dotnet build LlmPipeline.sln -c Release --nologo -v quiet && return
  fail "the build"
  finish
}

check_format() {
  local files=() file
  say "format"
  if $quick && git rev-parse --git-dir > /dev/null 2>&1; then
    while IFS= read -r file; do
      if [ -f "$file" ]; then files+=("$file"); fi
    done < <(git diff --name-only --relative HEAD -- '*.cs'; git ls-files --others --exclude-standard -- '*.cs')
    if [ ${#files[@]} -eq 0 ]; then
      echo "nothing has changed"
      return
    fi
    dotnet format LlmPipeline.sln --verify-no-changes --no-restore --include "${files[@]}" || fail "the format (dotnet format mends it)"
    return
  fi
  dotnet format LlmPipeline.sln --verify-no-changes --no-restore || fail "the format (dotnet format mends it)"
}

check_scripts() {
  local script
  say "scripts and docker-compose.yml"
  for script in llmpipe test.sh .ci/run; do
    bash -n "$script" || fail "$script"
  done
  if has_compose; then
    compose -f docker-compose.yml config -q || fail "docker-compose.yml"
  elif [ "${CI:-}" = true ]; then
    fail "docker-compose.yml cannot be checked without docker-compose"
  else
    echo "docker-compose.yml is not checked: there is no docker-compose"
  fi
}

# The value of an attribute of the counters in the test report.
counter() { sed -n "s/.*<Counters .*\b$1=\"\([0-9]*\)\".*/\1/p" .build/tests/report.trx | head -n 1; }

run_tests() {
  local expression='' hang=10m code
  say "tests"
  case $filter in
    '') ;;
    *[=~]*) expression="($filter)" ;;
    *) expression="(FullyQualifiedName~$filter)" ;;
  esac
  if $quick; then expression="${expression:+$expression&}(Category!=Slow)"; fi
  if ! $full; then expression="${expression:+$expression&}(Category!=Full)"; fi
  if $full; then hang=60m; fi
  rm -rf .build/tests
  dotnet test tests/LlmPipeline.Tests/LlmPipeline.Tests.csproj -c Release --no-build --nologo ${expression:+--filter "$expression"} \
    --logger "console;verbosity=minimal" --logger "trx;LogFileName=report.trx" --results-directory .build/tests \
    --blame-hang-timeout "$hang" --blame-hang-dump-type none
  code=$?
  if ! [ -f .build/tests/report.trx ] || [ -z "$(counter passed)" ]; then
    fail "the tests ended without a report (exit code $code)"
    return
  fi
  passed=$(counter passed)
  failed=$((failed + $(counter failed) + $(counter error) + $(counter timeout) + $(counter aborted)))
  skipped=$(($(counter total) - $(counter executed)))
  if [ "${CI:-}" = true ] && [ "$skipped" -gt 0 ]; then
    fail "$skipped skipped tests, which CI does not accept"
    failed=$((failed + skipped - 1))
    skipped=0
  fi
  # A crash of the test process is no test's failure.
  if [ $code -ne 0 ] && [ "$failed" -eq 0 ]; then fail "dotnet test (exit code $code)"; fi
}

if ! command -v dotnet > /dev/null 2>&1; then
  fail "the .NET SDK 10.0 is needed, and there is no dotnet on the PATH"
  finish
fi
install_tools
install_node_client
build
check_format
check_scripts
run_tests
finish

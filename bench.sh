#!/usr/bin/env bash
# Builds and runs the measurements.
#
#   ./bench.sh --peers DIR     this project against its peers, whose drivers lie in DIR (docs/performance.md); --help tells the options
#   ./bench.sh quota           how much of a provider's quota is used (docs/quota.md); quota --help tells the options
#   ./bench.sh large           rows of 4 and 16 MB: time, memory, the longest script; large --help tells the options
#   ./bench.sh hostile         synchronous calls alone, and beside batches that go wrong in every way; hostile --help tells the options
#   ./bench.sh bounds          the longest run of each script where 10 million jobs are on the queue; bounds --help tells the options
#   ./bench.sh micro           parts of it by BenchmarkDotNet: scripts, envelopes, tokens, quota; --filter '*Claim*' takes some
#
# For --peers, what is missing of the Debian packages that the peers need is installed by apt-get, as root or by sudo without a password.
set -eu
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 MSBUILDDISABLENODEREUSE=1

has_module() { /usr/bin/python3 -c "import $1" > /dev/null 2>&1; }

# A measurement whose peer is still missing afterwards says so in its row.
install_tools() {
  local packages=() sudo=() log=$root/.build/apt.log
  command -v redis-server > /dev/null 2>&1 || packages+=(redis-server)
  command -v node > /dev/null 2>&1 || packages+=(nodejs)
  command -v npm > /dev/null 2>&1 || packages+=(npm)
  command -v wrk > /dev/null 2>&1 || packages+=(wrk)
  has_module celery || packages+=(python3-celery)
  has_module redis || packages+=(python3-redis)
  has_module aiohttp || packages+=(python3-aiohttp)
  if [ ${#packages[@]} -eq 0 ]; then return; fi
  if ! command -v apt-get > /dev/null 2>&1; then
    echo "bench.sh: missing, and there is no apt-get to install it: ${packages[*]}" >&2
    return
  fi
  if [ "$(id -u)" -ne 0 ]; then
    if ! sudo -n true 2> /dev/null; then
      echo "bench.sh: missing, and neither root nor sudo without a password to install it: ${packages[*]}" >&2
      return
    fi
    sudo=(sudo -n)
  fi
  echo "bench.sh: installing with apt-get: ${packages[*]}" >&2
  mkdir -p "$root/.build"
  if ! { "${sudo[@]}" apt-get update && "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages[@]}"; } > "$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "bench.sh: apt-get failed; what needs these packages is not measured" >&2
    return
  fi
  # The measurements start their own servers; the one that the package starts is not wanted.
  case " ${packages[*]} " in
    *" redis-server "*) { "${sudo[@]}" systemctl disable --now redis-server || "${sudo[@]}" service redis-server stop; } > /dev/null 2>&1 || true ;;
  esac
}

case " $* " in
  *" --peers"[\ =]*) install_tools ;;
esac
# Thousands of calls at a time are as many sockets.
ulimit -n hard
if [ "${1:-}" = micro ]; then
  # BenchmarkDotNet builds the project anew for each process that it measures.
  (cd "$root" && dotnet build bench/Bench.csproj -c Release --nologo -v quiet -clp:NoSummary >&2)
  exec dotnet "$root/bench/bin/Release/net10.0/LlmPipeline.Bench.dll" "$@"
fi
# As ./llmpipe does: with native code beside the IL.
(cd "$root" && dotnet publish bench/Bench.csproj -c Release --nologo -v quiet -clp:NoSummary -o .build/bench >&2)
exec dotnet "$root/.build/bench/LlmPipeline.Bench.dll" "$@"

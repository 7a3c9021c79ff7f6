#!/usr/bin/env bash
# Builds and runs the measurements. ./bench.sh quota --help tells what there is; docs/quota.md what came of it.
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
dotnet build bench/Bench.csproj -c Release --nologo -v quiet
exec dotnet bench/bin/Release/net10.0/LlmPipeline.Bench.dll "$@"
